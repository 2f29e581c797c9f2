-- Where what is known about a film comes from. Built on store/schema.sql.
-- film_sources('tt0387564'): grain source that says something about the film: path, kind, loaded_at, tells (what about)
create or replace macro film_sources(id) as table
    select path, kind, loaded_at, list(distinct tells order by tells) as tells
    from (
        select source_id, 'titles' as tells from titles where imdb_id = id
        union all select source_id, 'tags' from film_tags where imdb_id = id
        union all select source_id, 'severities' from film_severities where imdb_id = id
    ) join sources using (source_id)
    group by all
    order by loaded_at, path;
