-- What could not be judged. grain: film x run, for the $most titles that were not found and the $most films that were found without
-- data (unrated), those named most often over all $runs. Built on verdicts. Parameters: $runs, $most, $k: ranks up to it.
--   status   unresolved: title and year as written; unrated: those of the film, the same in all runs, and traits, for which nothing is
--            known of it
with unknown as (
    select run_id, status, film_of(imdb_id, title, year) as film, matched_title, matched_year, title, year, unrated_traits
    from verdicts
    where list_contains($runs::varchar[], run_id) and status in ('unresolved', 'unrated') and rank <= least($k, run_k)
),
most_named as (
    select status, film, count(*) as all_times, usual_title(matched_title, matched_year, title, year) as name
    from unknown group by status, film
    qualify row_number() over (partition by status order by all_times desc, name, film) <= $most
)
select
    run_id, status, film::varchar as film, name.title as title, name.year as year,
    count(*) as times,
    list_sort(list_distinct(flatten(list(unrated_traits)))) as traits
from unknown join most_named using (status, film)
group by run_id, status, film, name, all_times
order by status, all_times desc, name, film, run_id;
