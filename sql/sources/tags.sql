-- Content tags -> film_tags. Built on macros.sql; expects raw(row, content, imdb_id, tag, tags) as text, where tags is
-- a list, and the variable source_id.

create or replace temp table checked as
with spread as (
    select row, content, imdb_id,
           unnest(if(given(tags) is null, [tag], coalesce(list_of(tags), [null]))) as tag
    from raw
)
select row, id_of(imdb_id) as imdb_id, given(tag) as tag,
       coalesce(id_fault(imdb_id), if(given(tag) is null, 'no tag', null)) as reason,
       if(reason is null, null, content) as content
from spread;

insert into rejects select distinct row, content, reason from checked where reason is not null;

insert into film_tags (imdb_id, tag, source_id)
select distinct imdb_id, tag, getvariable('source_id')
from checked
where reason is null;
