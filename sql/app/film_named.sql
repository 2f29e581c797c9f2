-- grain: film with the id $imdb_id. Built on titles.
select imdb_id, title, year from titles where imdb_id = $imdb_id and is_primary limit 1;
