-- links: MovieLens' numbers of films and their IMDb ids; keeps them while raw takes the titles.
create or replace temp table links as
select movieid, any_value(imdb_id order by row) as imdb_id from raw group by movieid;
