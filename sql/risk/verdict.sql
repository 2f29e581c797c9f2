-- Verdicts in SQL, the same as the oracle's, but that aliases confirmed beside the store are not known here, only those of
-- title_alias. Built on titles/resolve.sql and risk/risk.sql.

-- severity_texts: such as 'Violence & Gore: Severe', of the categories that count for the trait and are not None.
-- check_films('films'): films(title, year, constraints), constraints a list of full trait names -> grain one distinct row of
-- them: title, year, constraints, imdb_id, matched_title, matched_year, match_method, match_score, violated_traits,
-- max_risk (0..1; null without constraints and where no film was found), is_safe (null where no film was found: what that
-- means is up to whoever asks), evidence (risks above 0: trait, risk, source, hit_tags, severities).
-- Of several films of a title that was asked for without a year, the one with the highest risk.
create or replace macro severity_texts(severities) as
    [s.key || ': ' || ['None', 'Mild', 'Moderate', 'Severe'][s.value + 1]
     for s in map_entries(coalesce(severities, map {})) if s.value > 0];

create or replace macro check_films(films, risk_threshold := 0.66) as table
    with asked as materialized (
        select row_number() over () as film, * from (select distinct title, year::smallint as year, constraints from query_table(films))
    ),
    fits as materialized (
        select film, a.title, a.year, a.constraints, m.method, m.score, m.place, t.imdb_id, t.title as matched_title, t.year as matched_year
        from asked a join title_matches(asked) m on a.title is not distinct from m.title and a.year is not distinct from m.year
        left join title_index t using (title_no)
    ),
    risks as (
        select film, imdb_id,
               max(coalesce(r.risk, 0)) as max_risk,
               list(trait order by ordinal) filter (r.risk >= risk_threshold) as violated,
               list({trait: trait, risk: r.risk, source: r.source, hit_tags: coalesce(r.hit_tags, []), severities: severity_texts(r.severities)}
                    order by ordinal) filter (r.risk > 0) as evidence
        from (select film, imdb_id, unnest(list_distinct(constraints)) as trait from fits where imdb_id is not null)
        join traits using (trait) left join trait_risk r using (imdb_id, trait)
        group by all
    )
    select title, year, constraints, imdb_id, matched_title, matched_year, method as match_method, score as match_score,
           coalesce(violated, []) as violated_traits, max_risk, if(imdb_id is null, null, violated is null) as is_safe,
           coalesce(evidence, []) as evidence
    from fits left join risks using (film, imdb_id)
    qualify row_number() over (partition by film order by coalesce(max_risk, 0) desc, place) = 1;

-- check_film('Saw', 2004, 'Anti-gore / squeamish'): the same for one film and one trait, named in full.
create or replace macro check_film(title, year, trait, risk_threshold := 0.66) as table
    with film as (select title as title, year::smallint as year, [trait] as constraints)
    from check_films(film, risk_threshold := risk_threshold);
