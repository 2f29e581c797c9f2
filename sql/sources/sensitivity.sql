-- movie_trait_sensitivity.json -> raw, as risks.sql expects it. Expects records(row, content, json):
-- {"imdbId": ..., "traits": {trait: {"final": risk, "pg_risk", "ddd_trigger", "hit_tags", "source"}}}.
-- Grain of raw: film x trait; row is the film's place in the list.

create or replace temp table raw as
with films as (
    select row, json from records
)
select row, coalesce('{"imdbId": ' || (films.json -> '$.imdbId') || ', ' || trait_name || ': ' || entry || '}', films.json) as content,
       json ->> '$.imdbId' as imdb_id, trait,
       coalesce(entry ->> '$.final', entry ->> '$.risk') as risk, entry ->> '$.pg_risk' as pg_risk,
       entry ->> '$.ddd_trigger' as tag_trigger, entry ->> '$.hit_tags' as hit_tags, entry ->> '$.source' as source
from films
left join lateral (select key as trait, to_json(key) as trait_name, value as entry
                   from json_each(if(json_type(films.json -> '$.traits') = 'OBJECT', films.json -> '$.traits', null))) on true;
