-- IMDb's title.basics.tsv -> titles. Built on lines.sql and macros.sql; expects the variable source_id.
-- Columns: tconst, titleType, primaryTitle, originalTitle, isAdult, startYear, endYear, runtimeMinutes, genres.
-- Episodes are left out: nobody asks for one, and their titles would be taken for films.

create or replace temp table checked as
with cells as (
    select row, line, string_split(line, chr(9)) as cell from lines where row > 1
)
select row, id_of(cell[1]) as imdb_id, given(cell[3]) as title, given(cell[4]) as original_title, year_of(cell[6]) as year,
       coalesce(if(len(cell) <> 9, len(cell) || ' columns instead of 9', null),
                id_fault(cell[1]), title_fault(cell[3]), year_fault(cell[6])) as reason,
       if(reason is null, null, line) as content
from cells
where len(cell) <> 9 or cell[2] <> 'tvEpisode';

insert into rejects select row, content, reason from checked where reason is not null;

insert into titles (imdb_id, title, year, is_primary, source_id)
select imdb_id, title, year, true, getvariable('source_id') from checked where reason is null
union all
select imdb_id, original_title, year, false, getvariable('source_id')
from checked where reason is null and original_title <> title;
