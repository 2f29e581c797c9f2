-- grain: film with the id $imdb_id. Built on film_names.
select imdb_id, title, year from film_names where imdb_id = $imdb_id;
