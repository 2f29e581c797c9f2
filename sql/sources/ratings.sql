-- What people rated -> what each of them liked. Expects rated(row, content, userid, movieid, rating, timestamp) as text, and the
-- variables liked (stars from which on a film counts as liked), fewest (liked films that a person needs), people (how many are
-- drawn) and seed. -> faulty(row, content, reason); histories: grain a person who was drawn: person, films (MovieLens' ids, in the
-- order in which they were rated). A film that was rated twice counts when it was rated last.
create or replace temp table checked as
select row, trim(userid) as person, trim(movieid) as film, try_cast(rating as double) as stars, try_cast(timestamp as bigint) as seconds,
       case when coalesce(person, '') = '' then 'no userId'
            when coalesce(film, '') = '' then 'no movieId'
            when stars is null or not stars between 0 and 5 then 'the rating ''' || coalesce(rating, '') || ''' is no number of stars, 0.5 to 5'
            when seconds is null then 'the timestamp ''' || coalesce(timestamp, '') || ''' is no number of seconds' end as reason,
       if(reason is null, null, content) as content
from rated
where reason is not null or stars >= getvariable('liked');

create or replace temp table faulty as select row, content, reason from checked where reason is not null;

create or replace temp table histories as
with liked as (
    select person, film, max(seconds) as seconds from checked where reason is null group by person, film
),
drawn as (
    select person from liked group by person having count(*) >= getvariable('fewest')
    order by md5(getvariable('seed') || ':' || person), person limit getvariable('people')
)
select person, list(film order by seconds, film) as films from liked semi join drawn using (person) group by person;
