-- Votes a level -> raw as severities.sql expects it. Expects raw(imdb_id, category, none, mild, moderate, severe) as text and
-- the variable category: what the file is about, where its rows don't say.
create or replace temp table raw as
select row, content, imdb_id, coalesce(given(category), getvariable('category')) as category,
       most_voted(["none", mild, moderate, severe]) as severity,
       null::varchar as severities, null::varchar as c0
from raw;
