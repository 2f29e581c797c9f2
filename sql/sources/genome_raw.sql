-- The scores of MovieLens' tag genome -> raw. Built on macros.sql; expects raw_rows and the variable relevance. Grain: a row of the file;
-- but what lies below the relevance says of a film only that it was asked about, and is one row a film. times: rows of the file.
-- The genome of 25M has 15.6 million rows, most of them below.
create or replace temp table raw as
with judged as (
    select *, coalesce(share_fault('', relevance) is null and share_of(relevance) < getvariable('relevance'), false) as is_below
    from raw_rows
)
select min(row) as row, imdb_id, movieid, tmdb_id, arg_min(columns(* exclude (row, imdb_id, movieid, tmdb_id, is_below)), row),
       count(*) as times
from judged
group by imdb_id, movieid, tmdb_id, is_below, if(is_below, null, row);
