-- Films of a catalog that was read for itself. Grain: one film; from titles where the source had ids.
select distinct title, year, film_id(imdb_id) as imdb_id
from (select title, year, imdb_id from catalog union all select title, year, imdb_id from titles where is_primary)
order by title, year, imdb_id;
