-- Severities of categories -> film_severities. Built on macros.sql; expects raw(row, content, imdb_id, category,
-- severity, severities, c0, c1, ...) as text, wide_columns(name, category) and the variable source_id. A row names one
-- category and its severity, or holds an object {category: severity}, or has one column (c0, c1, ...) a category.

create or replace temp table checked as
with spread as (
    select row, content, imdb_id, category, severity
    from raw where given(severities) is null and not exists (from wide_columns)
    union all
    select row, content, imdb_id, key, atom ->> '$'
    from raw left join lateral (select key, atom from json_each(if(json_valid(raw.severities), raw.severities, null))) on true
    where given(severities) is not null
    union all
    select row, content, imdb_id, wide_columns.category, cell
    from (unpivot raw on columns('^c\d+$') into name name value cell) as wide join wide_columns using (name)
    where given(cell) is not null  -- an empty cell: nobody rated it
)
select row, id_of(imdb_id) as imdb_id, given(category) as category, severity_of(severity)::tinyint as severity,
       coalesce(id_fault(imdb_id), if(given(category) is null, 'no category', null), severity_fault(severity)) as reason,
       if(reason is null, null, content) as content
from spread;

insert into rejects select distinct row, content, reason from checked where reason is not null;

-- Spelt as the traits spell it, whatever the case and signs.
create or replace temp table rated as
with known as (
    select letters(category) as letters, any_value(category) as category from trait_weights group by all
)
select imdb_id, coalesce(known.category, checked.category) as category, max(severity) as severity
from checked left join known on letters(checked.category) = known.letters
where reason is null
group by all;

-- The grain is film x category: of several ratings the most cautious counts.
update film_severities f set severity = r.severity
from rated r
where f.imdb_id = r.imdb_id and f.category = r.category and f.severity < r.severity;

insert into film_severities (imdb_id, category, severity, source_id)
select imdb_id, category, severity, getvariable('source_id')
from rated anti join film_severities using (imdb_id, category);
