-- What a title could be, and why a title was found or was not: the films whose titles come near, and what each lacks. The one search for it:
-- `explain`, the runner-up of `check`, the view title_candidates and the app's Titles page ask it. Built on titles/resolve.sql.
-- nearest_titles('queries'): queries(title, year, [given_id]) -> grain a distinct row of them x film that comes near, the nearest first:
--   title, year, place (1 = nearest), imdb_id, near_title, near_year, closeness (0..1), years_apart, is_match, why
create or replace macro nearest_titles(queries) as table
    with matches as materialized (from title_matches(queries)),
    asked as materialized (select distinct query, title, year from matches),
    -- Looked for in all years and with more slips than are let pass.
    prepared as materialized (select * replace (3 as allowed), allowed as usual from title_queries(asked)),
    probes as (from title_probes(prepared)),
    yearless as materialized (select * replace (null::smallint as year) from prepared),
    pairs_in_all_years as materialized (from title_pairs(yearless, probes)),
    pairs as (
        select * replace (q.year as asked_year) from pairs_in_all_years p join (select query, year from prepared) q using (query)
    ),
    scored as materialized (from scored_pairs(pairs)),
    explained as (
        select s.* exclude (query, title_no), query, title_no, m.query is not null as is_match, m.method as match_method, usual,
               is_refused, refused_film
        from scored s join (select query, usual, is_refused, refused_film from prepared) using (query)
        full join (from matches where title_no is not null) m using (query, title_no)
    ),
    one_a_film as (
        select e.* exclude (film_no), t.film_no, t.imdb_id, t.title as near_title, t.year as near_year from explained e join main.title_index t using (title_no)
        qualify row_number() over (partition by query, t.film_no order by is_match desc, score desc, title_no) = 1
    )
    select a.title, a.year, row_number() over (partition by query order by is_match desc, o.score desc, title_no) as place,
           imdb_id, near_title, near_year, if(match_method = 'id', 1, least(1, closeness)) as closeness,
           if(a.year is null, 0, abs(near_year - a.year)) as years_apart, is_match,
           case when is_match then 'match'
                when refuses(is_refused, refused_film, imdb_id) then 'a person said that it is not meant'
                when bool_or(match_method in ('id', 'alias')) over (partition by query) then 'another one was named by its id, or a person confirmed it'
                when o.years_apart > year_limits().let_pass then o.years_apart || ' years apart, and ' || year_limits().let_pass || ' at most are let pass'
                when a.year is null and not accepted then 'only the year could tell that it is meant: the title is not the same'
                when method = 'fuzzy' and slips > usual then slips || ' letters differ, and ' || usual || ' are let pass'
                when accepted and bool_or(accepted and refuses(is_refused, refused_film, imdb_id)) over (partition by query)
                    then 'a person said that another one, which is as close or closer, is not meant'
                when accepted and not bool_or(is_match) over (partition by query) then 'another one is as close'
                when accepted then 'another one is closer'
                when near_year is null then 'its year is not known, and the title is not close enough for that'
                when contested then o.years_apart || ' year apart, and others of this common title are near'
                when common then o.years_apart || ' year(s) apart, and the title is a common one'
                else o.years_apart || ' year(s) apart, and the title is not close enough for that' end as why
    from one_a_film o join asked a using (query)
    qualify place <= 5
    order by all;

-- similar_titles('Sow', 2004): grain a film that no key brings near, the five whose letters are most alike.
--   similarity: Jaro-Winkler of the normalised titles, 0..1; films up to two years away, all where no year is given.
create or replace macro similar_titles(wanted, wanted_year) as table
    with wanted as materialized (select title_key(wanted) as wanted_key, wanted_year as asked_year)
    select imdb_id, arg_max(title, similarity) as near_title, arg_max(year, similarity) as near_year, max(similarity) as similarity
    from (
        select *, jaro_winkler_similarity(key, wanted_key) as similarity from main.title_index cross join wanted
        where asked_year is null or abs(year - asked_year) <= year_limits().let_pass
    )
    group by imdb_id
    order by similarity desc, imdb_id
    limit 5;

-- could_be('Return of the King', 2003): grain a film that a title could be, at most five, the nearest first: the columns of nearest_titles from
-- place on. Those that keys bring near; after them, unless the very title was found, those whose letters are alike.
create or replace macro could_be(wanted, wanted_year) as table
    with asked as materialized (
        select its_title as title, its_year as year from (select wanted::varchar as its_title, wanted_year::smallint as its_year)
    ),
    near as materialized (from nearest_titles(asked)),
    alike as (
        select null as place, imdb_id, near_title, near_year, similarity as closeness,
               if(asked.year is null, 0, abs(near_year - asked.year)) as years_apart, false as is_match,
               'other words; only its letters are alike' as why
        from similar_titles(wanted, wanted_year) cross join asked anti join near using (imdb_id)
        where not exists (from near where is_match and closeness >= closeness_levels().same_words)
    ),
    all_of_them as (
        select * exclude (title, year) from near union all by name from alike
    )
    select * replace (row_number() over (order by place nulls last, closeness desc, imdb_id) as place) from all_of_them
    order by place limit 5;
