-- Ids of films elsewhere -> other_ids. Built on macros.sql; expects raw(row, content, imdb_id, movieid, tmdb_id) as text and
-- the variable source_id.
insert into other_ids (kind, id, imdb_id, source_id)
select distinct kind, whole(id), id_of(imdb_id), getvariable('source_id')
from (select 'movielens' as kind, movieid as id, imdb_id from raw union all select 'tmdb', tmdb_id, imdb_id from raw)
where given(id) is not null and id_fault(imdb_id) is null;
