-- TMDb's /movie/{id} -> raw as titles.sql, note_ids.sql and tags.sql expect it. Expects records(row, content, json), with
-- keywords, release_dates (descriptors) and alternative_titles where they were appended. Grain of raw: title, or tag.
create or replace temp table raw as
with films as (
    select row, left(content, 1000) as content, json, coalesce(json ->> '$.imdb_id', json ->> '$.external_ids.imdb_id') as imdb_id,
           json ->> '$.title' as title, json ->> '$.release_date' as year
    from records
),
said as (
    select row, title, true as is_primary, null as tag from films
    union all
    select row, json ->> '$.original_title', false, null from films
    where json ->> '$.original_title' <> title
    union all
    select row, unnest(json_extract_string(json, '$.alternative_titles.titles[*].title')), false, null from films
    union all
    select row, title, true, unnest(json_extract_string(json, '$.keywords.*[*].name')) from films
    union all
    select row, title, true, unnest(json_extract_string(json, '$.release_dates.results[*].release_dates[*].descriptors[*]')) from films
)
select row, content, imdb_id, json ->> '$.id' as tmdb_id, null::varchar as movieid, said.title, year, is_primary::varchar as is_primary,
       null::varchar as original_title, tag::varchar as tag, null::varchar as tags, null::varchar as present,
       null::varchar as relevance, null::varchar as yes, null::varchar as no
from films join said using (row);
