-- IMDb's title.akas.tsv -> titles. Built on lines.sql and macros.sql; expects the variable source_id.
-- Columns: titleId, ordering, title, region, language, types, attributes, isOriginalTitle.
-- Only titles of films that the store knows: the file has no years, and most of it is about episodes.

create or replace temp table checked as
with cells as (
    select row, line, string_split(line, chr(9)) as cell from lines where row > 1
),
known as (
    select imdb_id, min(year) as year from titles where is_primary group by imdb_id
)
select row, known.imdb_id, given(cell[3]) as title, known.year,
       coalesce(if(len(cell) <> 8, len(cell) || ' columns instead of 8', null),
                id_fault(cell[1]), title_fault(cell[3])) as reason,
       if(reason is null, null, line) as content
from cells left join known on known.imdb_id = id_of(cell[1])
where known.imdb_id is not null or len(cell) <> 8 or id_fault(cell[1]) is not null;

insert into rejects select row, content, reason from checked where reason is not null;

insert into titles (imdb_id, title, year, is_primary, source_id)
select distinct imdb_id, title, year, false, getvariable('source_id')
from checked
where reason is null;
