-- Verdicts in SQL, the same as the oracle's. Built on titles/resolve.sql and risk/risk.sql.

-- severity_texts: such as 'Violence & Gore: Severe', of the categories that count for the trait and are not None.
-- check_films('films'): films(title, year, constraints, [given_id]), constraints a list of full trait names -> grain one distinct row of
-- them: title, year, constraints, given_id, imdb_id, matched_title, matched_year, match_method, match_score, status, violated_traits,
-- unrated_traits, max_risk (0..1, the highest that is known; null where none is), is_safe (null where that hangs on what is
-- not known: what it counts as is up to whoever asks), evidence (risks above 0: trait, risk, source, hit_tags, severities).
--   status   'unsafe': a known risk >= risk_threshold; else 'unresolved': no film; else 'unrated': nothing is known of the film
--            for some constraint (unrated_traits); else 'safe'
-- Of several films of a title that was asked for without a year, the one with the highest known risk; of equals one that is
-- not rated. An error where a constraint is no trait, or risk_threshold is not in (0, 1]: the films would all be safe.
create or replace macro severity_texts(severities) as
    [s.key || ': ' || ['None', 'Mild', 'Moderate', 'Severe'][s.value + 1]
     for s in map_entries(coalesce(severities, map {})) if s.value > 0];

-- What is asked, or an error where it is none.
create or replace macro only_traits(constraints, known) as list_transform(constraints, lambda its_name:
    case when list_contains(known, its_name) then its_name
         else error(concat('no trait ', coalesce(its_name, 'NULL'), ': names are written in full here, and FROM traits lists them')) end);
-- To as many digits as risks have: else a risk of a third would not reach 1 / 3.
create or replace macro only_threshold(threshold) as
    case when round(threshold, 9) > 0 and threshold <= 1 then round(threshold, 9)
         else error(concat('risk_threshold ', coalesce(threshold::varchar, 'NULL'), ': expected a number above 0, and at most 1')) end;

create or replace macro check_films(films, risk_threshold := 0.66) as table
    -- Named as no table of the caller's is, which is read below.
    with its_threshold as (select only_threshold(risk_threshold) as threshold),
    its_rules as (select list(trait) as known, any_value(threshold) as threshold from main.traits, its_threshold),
    asked as materialized (
        select row_number() over () as film, *
        from (select distinct title, year::smallint as year, only_traits(constraints, known) as constraints, given_id::varchar as given_id, threshold
              from (
                  select title, year, constraints, given_id
                  from (from query_table(films) union all by name select null::varchar as given_id where false)
              ), its_rules)
    ),
    fits as materialized (
        select film, a.title, a.year, a.constraints, a.given_id, threshold, m.method, m.score, m.place, t.imdb_id, t.title as matched_title, t.year as matched_year
        from asked a join title_matches(asked) m
          on a.title is not distinct from m.title and a.year is not distinct from m.year and a.given_id is not distinct from m.given_id
        left join main.title_index t using (title_no)
    ),
    risks as (
        select film, imdb_id,
               max(r.risk) as max_risk,
               list(trait order by ordinal) filter (r.risk >= threshold) as violated,
               list(trait order by ordinal) filter (r.risk is null) as unrated,
               list({trait: trait, risk: r.risk, source: r.source, hit_tags: coalesce(r.hit_tags, []), severities: severity_texts(r.severities)}
                    order by ordinal) filter (r.risk > 0) as evidence
        from (select film, imdb_id, threshold, unnest(list_distinct(constraints)) as trait from fits where imdb_id is not null)
        join main.traits using (trait) left join main.trait_risk r using (imdb_id, trait)
        group by film, imdb_id
    )
    select title, year, constraints, given_id, imdb_id, matched_title, matched_year, method as match_method, score as match_score,
           case when violated is not null then 'unsafe' when imdb_id is null then 'unresolved'
                when unrated is not null then 'unrated' else 'safe' end as status,
           coalesce(violated, []) as violated_traits, coalesce(unrated, []) as unrated_traits, max_risk,
           case when coalesce(len(constraints), 0) = 0 then true else map {'unsafe': false, 'safe': true}[status] end as is_safe,
           coalesce(evidence, []) as evidence
    from fits left join risks using (film, imdb_id)
    qualify row_number() over (
        partition by film order by coalesce(max_risk, 0) desc, unrated is not null desc, place
    ) = 1;

-- check_film('Saw', 2004, 'Anti-gore / squeamish'): the same for one film and one trait, named in full.
create or replace macro check_film(title, year, trait, risk_threshold := 0.66) as table
    with film as (
        select its_title as title, its_year as year, its_traits as constraints
        from (select title as its_title, year::smallint as its_year, [trait] as its_traits)
    )
    from check_films(film, risk_threshold := risk_threshold);
