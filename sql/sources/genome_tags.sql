-- genome_tags: the tags of MovieLens' tag genome by their numbers; keeps them while raw takes the scores.
create or replace temp table genome_tags as
select tagid, any_value(tag order by row) as tag from raw group by tagid;
