-- The films that cause most violations. grain: film x run, for the $most films with most violations over all $runs.
-- Built on verdicts. Parameters: $runs, $most, $k: ranks up to it.
--   times   violations; title, year: the same in all runs
with unsafe as (
    select run_id, film_of(imdb_id, title, year) as film, matched_title, matched_year, title, year, violated_traits
    from verdicts
    where list_contains($runs::varchar[], run_id) and is_safe is not distinct from false and rank <= least($k, run_k)
),
worst as (
    select film, count(*) as all_times, usual_title(matched_title, matched_year, title, year) as name
    from unsafe group by film order by all_times desc, film limit $most
)
select
    run_id, film::varchar as film, name.title as title, name.year as year,
    count(*) as times,
    list_sort(list_distinct(flatten(list(violated_traits)))) as traits
from unsafe join worst using (film)
group by run_id, film, name, all_times
order by all_times desc, film, run_id;
