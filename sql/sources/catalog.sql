-- Films that may be recommended -> catalog. Built on macros.sql; expects raw(row, content, imdb_id, title, year) as text
-- and the variable source_id.

create or replace temp table checked as
select row, if(given(imdb_id) is null, null, id_of(imdb_id)) as imdb_id, given(title) as title, year_of(year) as year,
       coalesce(title_fault(title), year_fault(year), if(given(imdb_id) is null, null, id_fault(imdb_id))) as reason,
       if(reason is null, null, content) as content
from raw;

insert into rejects select row, content, reason from checked where reason is not null;

insert into catalog (title, year, imdb_id, source_id)
select distinct title, year, imdb_id, getvariable('source_id')
from checked
where reason is null;
