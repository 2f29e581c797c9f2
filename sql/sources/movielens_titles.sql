-- The name and the year of each film that MovieLens has an id for. grain: MovieLens' id.
select id, title, year
from other_ids join film_names using (imdb_id)
where kind = 'movielens'
qualify row_number() over (partition by id order by title, year) = 1;
