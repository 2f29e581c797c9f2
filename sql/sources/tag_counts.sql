-- Of the source being loaded: films that carry a tag, and films that it was only told of what they don't carry.
select (select count(distinct imdb_id) from film_tags where source_id = getvariable('source_id')),
       (select count(distinct imdb_id) from tag_coverage where source_id = getvariable('source_id'));
