-- Why a title was found, or was not: the films whose titles come near, and what each lacks. Built on titles/resolve.sql.
-- nearest_titles('queries'): queries(title, year) -> grain a distinct (title, year) x film that comes near, the nearest first:
--   title, year, place (1 = nearest), imdb_id, near_title, near_year, closeness (0..1), years_apart, is_match, why
create or replace macro nearest_titles(queries) as table
    with matches as materialized (from title_matches(queries)),
    asked as materialized (select distinct query, title, year from matches),
    -- Looked for in all years and with more slips than are let pass.
    prepared as materialized (select * replace (3 as allowed), allowed as usual from title_queries(asked)),
    probes as (from title_probes(prepared)),
    yearless as materialized (select * replace (null::smallint as year) from prepared),
    pairs as (from title_pairs(yearless, probes)),
    worded as materialized (from worded_pairs(prepared, pairs)),
    with_slips as materialized (from pairs_with_slips(worded)),
    judged as materialized (from judged_pairs(prepared, with_slips)),
    slips as (select query, title_no, min(slips) as slips from with_slips group by all),
    explained as (
        select j.*, m.query is not null as is_match, usual, slips
        from judged j join prepared using (query) left join slips s using (query, title_no) left join matches m using (query, title_no)
    ),
    one_a_film as (
        select * from explained
        qualify row_number() over (partition by query, film_no order by is_match desc, score desc, title_no) = 1
    )
    select a.title, a.year, row_number() over (partition by query order by is_match desc, o.score desc, title_no) as place,
           t.imdb_id, t.title as near_title, t.year as near_year, least(1, closeness) as closeness, years_apart, is_match,
           case when is_match then 'match'
                when years_apart > 2 then years_apart || ' years apart, and 2 at most are let pass'
                when method = 'fuzzy' and slips > usual then slips || ' letters differ, and ' || usual || ' are let pass'
                when accepted and not bool_or(is_match) over (partition by query) then 'another film is as close'
                when accepted then 'another film is closer'
                when near_year is null then 'its year is not known, and the title is not close enough for that'
                when contested and common then years_apart || ' year apart, and other films of this common title are near'
                when common then years_apart || ' year(s) apart, and the title is a common one'
                else years_apart || ' year(s) apart, and the title is not close enough for that' end as why
    from one_a_film o join asked a using (query) join title_index t using (title_no)
    qualify place <= 5
    order by all;

-- similar_titles('Sow', 2004): grain a film that no key brings near, the five whose letters are most alike.
--   similarity: Jaro-Winkler of the normalised titles, 0..1; films up to two years away, all where no year is given.
create or replace macro similar_titles(wanted, wanted_year) as table
    select imdb_id, arg_max(title, similarity) as near_title, arg_max(year, similarity) as near_year, max(similarity) as similarity
    from (
        select *, jaro_winkler_similarity(key, title_key(wanted)) as similarity from title_index
        where wanted_year is null or abs(year - wanted_year) <= 2
    )
    group by imdb_id
    order by similarity desc, imdb_id
    limit 5;
