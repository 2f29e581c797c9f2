-- Films without an id that anybody knows -> the id of the one film of the store that has this title and year. Built on macros.sql; expects
-- raw(row, content, imdb_id, tmdb_id, title, year, item_type, ...), titles, other_ids and domain. A source of several sorts of things
-- says which one each is (item_type); those of another sort than the store's are not looked for.
create or replace temp table unnamed as
select row, any_value(content) as content, any_value(given(title)) as title, any_value(year_of(year)) as year,
       any_value(lower(item_type)) as item_type, any_value(given(tmdb_id)) as tmdb_id
from raw
where given(imdb_id) is null and whole(tmdb_id) is distinct from '' and (whole(tmdb_id) is null or whole(tmdb_id) not in (select id from other_ids where kind = 'tmdb'))
group by row;

create or replace temp table named as
with looked_for as (
    select * from unnamed, domain
    where title is not null and year is not null
      and (item_type is null or contains(item_type, lower(noun)) or (noun = 'film' and contains(item_type, 'movie')))
),
of_the_years as (
    select imdb_id, title_key(title) as key, year from titles where year in (select year from looked_for)
)
select row, l.title, l.year, min(imdb_id) as imdb_id, count(distinct imdb_id) as films
from looked_for l join of_the_years t on title_key(l.title) = t.key and l.year = t.year
group by all;

insert into rejects
select row, content, 'no id, and ' || case
    when films > 1 then 'several titles of the store are ' || quoted(u.title) || ' (' || u.year || ')'
    when u.title is null or u.year is null then 'no title and year to find it by'
    else 'the store has no ' || quoted(u.title) || ' (' || u.year || ')' || if(item_type is null, '', ' of the sort ' || quoted(item_type)) end
from unnamed u left join named using (row)
where tmdb_id is null and coalesce(films, 0) <> 1;

create or replace temp table raw as
select raw.* replace (coalesce(given(raw.imdb_id), n.imdb_id) as imdb_id)
from raw left join (from named where films = 1) n using (row)
where row not in (select row from unnamed anti join (from named where films = 1) using (row) where tmdb_id is null);
