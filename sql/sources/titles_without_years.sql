-- How many films the source being loaded names, and how many of them without a year.
select count(distinct imdb_id), count(distinct imdb_id) filter (imdb_id not in (select imdb_id from titles where year is not null))
from titles where source_id = getvariable('source_id');
