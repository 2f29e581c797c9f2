-- Brings new rows into the store's form, and refuses what no store may hold. Built on store/schema.sql.

-- 'tt' and at least seven digits, whether or not the source writes them; ids of other domains stay as they are.
create or replace macro film_id(id) as case
    when (select numeric_ids from main.domain) then trim(id)
    when regexp_full_match(trim(id), '(tt)?\d{1,7}') then 'tt' || lpad(replace(trim(id), 'tt', ''), 7, '0')
    when regexp_full_match(trim(id), '(tt)?\d+') then 'tt' || ltrim(replace(trim(id), 'tt', ''), '0')
    else trim(id) end;

update titles set imdb_id = film_id(imdb_id) where imdb_id <> film_id(imdb_id);
update catalog set imdb_id = film_id(imdb_id) where imdb_id <> film_id(imdb_id);
update given_risk set imdb_id = film_id(imdb_id) where imdb_id <> film_id(imdb_id);
update film_tags set imdb_id = film_id(imdb_id) where imdb_id <> film_id(imdb_id);
update tag_coverage set imdb_id = film_id(imdb_id) where imdb_id <> film_id(imdb_id);
update film_severities set imdb_id = film_id(imdb_id) where imdb_id <> film_id(imdb_id);

-- The oracle's years begin with 1.
update titles set year = null where year < 1;

select error('the risk ' || risk || ' of ' || imdb_id || ' for ' || trait || ' is no number in 0..1')
from given_risk where isnan(risk) or risk not between 0 and 1;

select error('the severity ' || severity || ' of ' || imdb_id || ' for ' || category || ' is not 0, 1, 2 or 3')
from film_severities where severity not between 0 and 3;

-- A trait that only ready-made risks name has no tags and no weights.
insert into traits
select trait, (select count(*) from traits) + row_number() over (order by trait) - 1
from (select distinct trait from given_risk anti join traits using (trait));
