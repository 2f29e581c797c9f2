-- Where what is known about a film comes from. Built on store/schema.sql.
-- film_sources('tt0387564'): grain source that says something about the film: path, kind, loaded_at, tells (what about)
create or replace macro film_sources(id) as table
    with asked as (select id as asked_id)
    select path, kind, loaded_at, list(distinct tells order by tells) as tells
    from (
        select source_id, 'titles' as tells from main.titles, asked where imdb_id = asked_id
        union all select source_id, 'tags' from main.film_tags, asked where imdb_id = asked_id
        union all select source_id, 'severities' from main.film_severities, asked where imdb_id = asked_id
    ) join main.sources using (source_id)
    group by all
    order by loaded_at, path;
