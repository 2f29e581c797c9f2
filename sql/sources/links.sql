-- MovieLens' links.csv: rows without an IMDb id. Built on macros.sql; expects raw(row, content, movieid, imdb_id, tmdb_id).
insert into rejects select row, content, id_fault(imdb_id) from raw where id_fault(imdb_id) is not null;
