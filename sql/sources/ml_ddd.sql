-- ML-DDD -> raw as film_ids.sql and tags.sql expect it. Expects raw with movieid and one column (c0, c1, ...) a verdict and
-- topic, and wide_columns(name, category), such as 'Clear Yes: a dog dies'. Grain: film x topic that people voted on.
-- "Unclear" and "No Votes" say nothing about a film.
create or replace temp table cells as
select row, content, movieid, trim(split_part(category, ':', 1)) as verdict, trim(category[strpos(category, ':') + 1:]) as topic, cell
from (unpivot raw on columns('^c\d+$') into name name value cell) as wide join wide_columns using (name);

insert into rejects
select row, content, verdict || ': ' || topic || ': ' || truth_fault(cell) from cells where truth_fault(cell) is not null;

create or replace temp table raw as
select row, content, movieid, topic as tag, (lower(verdict) = 'clear yes')::varchar as present,
       null::varchar as imdb_id, null::varchar as tmdb_id, null::varchar as tags, null::varchar as yes, null::varchar as no, null::varchar as relevance
from cells where lower(verdict) in ('clear yes', 'clear no') and coalesce(truth_of(cell), false);
