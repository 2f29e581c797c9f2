-- MovieLens movies.csv and links.csv -> titles. Built on macros.sql; expects raw(row, content, movieid, title),
-- other_ids, and the variable source_id.
-- 'City of Lost Children, The (Cité des enfants perdus, La) (1995)' is two titles of one film, articles put first.

create or replace temp macro article_first(t) as regexp_replace(regexp_replace(trim(t),
    '^(.*\S), (The|A|An|Le|La|Les|L''|Un|Une|El|Los|Las|Una|Il|Lo|I|Gli|Uno|Der|Die|Das|Den|Det|De|Het|Een|Ein|Eine|En|Et|O|Os|As|Um|Uma)$',
    '\2 \1'), '^L'' ', 'L''');

create or replace temp table checked as
with named as (
    select raw.row, raw.content, links.imdb_id, raw.movieid, given(raw.title) as title,
           regexp_extract(raw.title, '^\s*(.*\S)\s*\((\d{4})(?:[-–]\d{0,4})?\)\s*$', ['name', 'year']) as parts
    from raw left join (select id, any_value(imdb_id) as imdb_id from other_ids where kind = 'movielens' group by id) links
         on links.id = whole(raw.movieid)
),
parted as (
    -- What stands in parentheses at the end is another title: 'Seven (a.k.a. Se7en)'.
    select *, coalesce(given(parts['name']), title) as name, given(parts['year']) as year,
           given(regexp_extract(name, '^([^(]*\S)\s+\(', 1)) as first_name
    from named
),
films as (
    select *, list_transform(regexp_extract_all(name, '\(([^()]+)\)', 1),
                             lambda t: article_first(regexp_replace(t, '^(?i)(a\.?k\.?a\.?|original title:?)\s+', ''))) as others
    from parted
)
select row, id_of(imdb_id) as imdb_id, article_first(coalesce(first_name, name)) as title, year_of(year) as year,
       if(first_name is null, [], list_append(others, name)) as others,
       coalesce(if(id_fault(imdb_id) is null, null, 'no IMDb id is known for movieId ' || coalesce(movieid, '') || ': name MovieLens'' links.csv too'),
                title_fault(name), year_fault(year)) as reason,
       if(reason is null, null, content) as content
from films;

insert into rejects select row, content, reason from checked where reason is not null;

insert into titles (imdb_id, title, year, is_primary, source_id)
with forms as (
    -- MovieLens lists a few films twice: the first entry names the film.
    select imdb_id, title, year, row_number() over (partition by imdb_id order by row) = 1 as is_primary
    from checked where reason is null
    union all
    select imdb_id, unnest(others), year, false from checked where reason is null
)
select imdb_id, title, any_value(year), bool_or(is_primary), getvariable('source_id')
from forms
where given(title) is not null
group by imdb_id, title;
