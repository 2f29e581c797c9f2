-- The films that cause most violations. grain: film x run, for the $most films with most violations over all $runs.
-- Built on verdicts. Parameters: $runs, $most, $k: ranks up to it.
with unsafe as (
    select run_id, film_of(imdb_id, title, year) as film, matched_title, matched_year, title, year, violated_traits
    from verdicts
    where list_contains($runs::varchar[], run_id) and is_safe is not distinct from false and rank <= least($k, run_k)
),
worst as (
    select film, count(*) as violations from unsafe group by film order by violations desc, film limit $most
)
select
    run_id, film::varchar as film,
    any_value(coalesce(matched_title, title)) as title,
    any_value(coalesce(matched_year, year)) as year,
    count(*) as violations,
    any_value(w.violations) as all_violations,
    list_sort(list_distinct(flatten(list(violated_traits)))) as traits
from unsafe join worst w using (film)
group by run_id, film
order by all_violations desc, film, run_id;
