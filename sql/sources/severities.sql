-- Severities of categories -> film_severities. Built on macros.sql; expects raw(row, content, imdb_id, category,
-- severity, severities, c0, c1, ...) as text, wide_columns(name, category) and the variable source_id. A row names one
-- category and its severity, or holds an object {category: severity}, or has one column (c0, c1, ...) a category.

create or replace temp table checked as
with spread as (
    select row, content, imdb_id, category, severity, false as is_vote
    from raw where given(severities) is null and not exists (from wide_columns)
    union all
    select row, content, imdb_id, key, severity_text(value), json_type(value) = 'OBJECT' and value ->> '$.status' is null
    from raw left join lateral (select key, value from json_each(if(json_valid(raw.severities) and json_type(raw.severities) = 'OBJECT', raw.severities, null))) on true
    where given(severities) is not null
    union all
    select row, content, imdb_id, wide_columns.category, cell_severity(cell), cell_severity(cell) <> cell
    from (unpivot raw on columns('^c\d+$') into name name value cell) as wide join wide_columns using (name)
    where given(cell) is not null  -- an empty cell: nobody rated it
)
select row, id_of(imdb_id) as imdb_id, given(category) as category, severity_of(severity)::tinyint as severity, try_cast(given(severity) as double) as number, is_vote,
       coalesce(id_fault(imdb_id), if(given(category) is null, 'no category; expected {category: severity}, or a column category', null), severity_fault(severity)) as reason,
       if(reason is null, null, content) as content
from spread;

insert into rejects select distinct row, content, reason from checked where reason is not null;

-- A category is what the traits call it, whatever the case and signs; then a usual name for one of the Parent Guide's, where
-- the traits weigh that (or nothing yet); else what it says. categories_read: grain category as the source writes it;
-- highest: its highest number, is_rounded: whether some lie between two levels; null where severities are words; is_vote:
-- whether some were votes a level.
create or replace temp table categories_read as
with known as (
    select letters(category) as letters, any_value(category) as category from trait_weights group by all
),
said as (
    select category as said, letters(category) as letters, max(number) as highest, bool_or(number <> severity) as is_rounded, bool_or(is_vote) as is_vote
    from checked where reason is null group by all
)
select said, coalesce(own.category, guide.category, if((select count(*) from known) = 0, guide_category(said.letters), null), said) as category,
       own.category is null and guide.category is null as is_unweighed,
       highest, is_rounded, is_vote
from said
left join known own on own.letters = said.letters
left join known guide on guide.category = guide_category(said.letters);

create or replace temp table rated as
select imdb_id, r.category, max(severity) as severity
from checked join categories_read r on checked.category = r.said
where reason is null
group by all;

-- Of several ratings in one source the most cautious counts; of several sources risk/risk.sql takes the most cautious.
insert into film_severities (imdb_id, category, severity, source_id)
select imdb_id, category, severity, getvariable('source_id') from rated;
