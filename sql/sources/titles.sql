-- Titles with ids -> titles. Built on macros.sql; expects raw(row, content, imdb_id, title, year, is_primary,
-- original_title) as text and
-- the variables source_id and names_films. Where that is false, a source lists titles that need not be the films' own.

create or replace temp table checked as
select distinct row, id_of(imdb_id) as imdb_id, given(original_title) as original_title, given(title) as title, year_of(year) as year, truth_of(is_primary) as is_primary,
       coalesce(id_fault(imdb_id), title_fault(title), year_fault(year), truth_fault(is_primary)) as reason,
       if(reason is null, null, content) as content
from raw;

insert into rejects select row, content, reason from checked where reason is not null;

-- One id for two films would give one of them the other's verdict, and nobody can say which row is wrong.
with repeated as (
    select imdb_id, list(struct_pack(row := row, title := title, year := year) order by row) as films
    from checked
    where reason is null and coalesce(is_primary, true) and getvariable('names_films')
    group by imdb_id
    having count(*) > 1
        and (count(distinct title) > 1 and count(distinct title_key(title)) > 1 or max(year) - min(year) > 2)
)
select error(count(*) || ' of its ids stand for several titles, such as ' || min_by(
    imdb_id || ': ' || quoted(films[1].title) || coalesce(' (' || films[1].year || ')', '') || ' in row ' || films[1].row
            || ' and ' || quoted(films[-1].title) || coalesce(' (' || films[-1].year || ')', '') || ' in row ' || films[-1].row,
    films[1].row) || '; expected one primary title an id: correct the ids, or mark other titles is_primary=false')
from repeated having count(*) > 0;

insert into titles (imdb_id, title, year, is_primary, source_id)
with known as (
    select imdb_id, min(year) as year from titles where is_primary group by imdb_id
),
forms as (
    select imdb_id, title, coalesce(checked.year, known.year) as year,
           coalesce(is_primary, getvariable('names_films')
               or known.imdb_id is null and row_number() over (partition by imdb_id order by row) = 1) as is_primary
    from checked left join known using (imdb_id)
    where reason is null
    union all
    select imdb_id, original_title, coalesce(checked.year, known.year), false
    from checked left join known using (imdb_id)
    where reason is null and original_title <> title
)
select imdb_id, title, year, bool_or(is_primary), getvariable('source_id') from forms group by imdb_id, title, year;
