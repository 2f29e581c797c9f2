-- IMDb ids of films that a source names by another id. Built on macros.sql; expects raw(row, content, imdb_id, ...) with
-- movieid or tmdb_id (a column that a kind lacks is null), and other_ids. Grain of raw: as it was.
create or replace temp table raw as
with known as (
    select kind, id, any_value(imdb_id order by source_id) as imdb_id from other_ids group by all
)
select raw.* replace (coalesce(given(raw.imdb_id), m.imdb_id, t.imdb_id) as imdb_id)
from raw
left join known m on m.kind = 'movielens' and m.id = whole(raw.movieid)
left join known t on t.kind = 'tmdb' and t.id = whole(raw.tmdb_id);

insert into rejects
select row, content, if(given(movieid) is not null, 'no IMDb id is known for movieId ' || given(movieid),
                        'no IMDb id is known for the TMDb id ' || given(tmdb_id)) || ': name MovieLens'' links.csv, or a table with both ids'
from raw where given(imdb_id) is null and coalesce(given(movieid), given(tmdb_id)) is not null;

delete from raw where given(imdb_id) is null and coalesce(given(movieid), given(tmdb_id)) is not null;
