-- DoesTheDogDie's answers (/media/{id}, /items/{id}) -> raw as titles.sql, film_ids.sql and tags.sql expect it. Expects
-- records(row, content, json). Grain of raw: film x topic with a vote; a film without votes has one row without a tag.
create or replace temp table raw as
with films as (
    select row, left(content, 1000) as content, coalesce(json -> '$.item', json) as item,
           coalesce(json -> '$.topicItemStats', json -> '$.stats', json -> '$.topicStats', json -> '$.topics') as stats
    from records
),
topics as (
    select row, unnest(from_json(stats, '["json"]')) as topic from films where json_type(stats) = 'ARRAY'
)
select films.row, content, item ->> '$.imdbId' as imdb_id, item ->> '$.tmdbId' as tmdb_id, null::varchar as movieid,
       coalesce(item ->> '$.name', item ->> '$.title') as title, item ->> '$.releaseYear' as year, null::varchar as is_primary,
       null::varchar as original_title, coalesce(topic ->> '$.topic.doesName', topic ->> '$.topic.name', topic ->> '$.name') as tag,
       null::varchar as tags, null::varchar as present, null::varchar as relevance,
       topic ->> '$.yesSum' as yes, topic ->> '$.noSum' as no, coalesce(item ->> '$.itemType.name', item ->> '$.itemTypeName') as item_type
from films left join topics
  on films.row = topics.row and coalesce(topic ->> '$.yesSum', '0') || coalesce(topic ->> '$.noSum', '0') <> '00';

insert into rejects select row, content, 'no list of topics (topicItemStats)' from (
    select row, content, json_type(coalesce(json -> '$.topicItemStats', json -> '$.stats', json -> '$.topicStats', json -> '$.topics')) as type from records
) where type is distinct from 'ARRAY';
