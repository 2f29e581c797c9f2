-- What is known about the films of a store, and what is said about them that nobody asks for. Built on risk/risk.sql.
-- trait_coverage: grain trait
--   films       films of the store
--   known       films with evidence of any kind; the rest are unrated
--   asked       films that a source of tags speaks of, "no" votes included (0 where the trait has no tags)
--   tagged      of these, films that carry a tag that triggers the trait
--   rated       films with a severity in a category that the trait weighs
--   given       films with a ready-made risk
-- unused_tags: grain tag that triggers no trait; films that carry it
-- unweighed_categories: grain category that no trait weighs; films that are rated in it

create or replace view trait_coverage as
with asked as (
    select imdb_id from film_tags union select imdb_id from tag_coverage
),
evidence as (
    select trait, imdb_id, 'asked' as kind from (select distinct trait from trait_tags), asked
    union all
    select trait, imdb_id, 'tagged' from film_tags join tag_matches using (tag)
    union all
    select trait, imdb_id, 'rated' from film_severities join trait_weights using (category) where weight > 0
    union all
    select trait, imdb_id, 'given' from given_risk
),
counted as (
    select trait, count(distinct imdb_id) as known,
           count(distinct imdb_id) filter (kind = 'asked') as asked,
           count(distinct imdb_id) filter (kind = 'tagged') as tagged,
           count(distinct imdb_id) filter (kind = 'rated') as rated,
           count(distinct imdb_id) filter (kind = 'given') as given
    from evidence semi join titles using (imdb_id)
    group by trait
)
select trait, (select count(distinct imdb_id) from titles) as films, coalesce(known, 0) as known, coalesce(asked, 0) as asked,
       coalesce(tagged, 0) as tagged, coalesce(rated, 0) as rated, coalesce(given, 0) as given
from traits left join counted using (trait)
order by ordinal;

create or replace view unused_tags as
select tag, count(distinct imdb_id) as films
from film_tags anti join tag_matches using (tag)
group by tag order by films desc, tag;

create or replace view unweighed_categories as
select category, count(distinct imdb_id) as films
from film_severities anti join (from trait_weights where weight > 0) using (category)
group by category order by films desc, category;
