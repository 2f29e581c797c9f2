-- What could not be judged. grain: film x run, for the $most titles that were not found and the $most films that were found without
-- data (unrated), those named most often over all $runs. Built on verdicts. Parameters: $runs, $most, $k: ranks up to it.
--   status   unresolved: title and year as written; unrated: those of the film, and traits, for which nothing is known of it
with unknown as (
    select
        run_id, status, unrated_traits,
        if(status = 'unrated', coalesce(matched_title, title), title) as title,
        if(status = 'unrated', coalesce(matched_year, year), year) as year
    from verdicts
    where list_contains($runs::varchar[], run_id) and status in ('unresolved', 'unrated') and rank <= least($k, run_k)
),
most_named as (
    select status, title, year, count(*) as times from unknown group by status, title, year
    qualify row_number() over (partition by status order by times desc, title, year) <= $most
)
select
    run_id, status, u.title, u.year,
    count(*) as times,
    any_value(m.times) as all_times,
    list_sort(list_distinct(flatten(list(u.unrated_traits)))) as traits
from unknown u join most_named m using (status)
where u.title = m.title and u.year is not distinct from m.year
group by run_id, status, u.title, u.year
order by status, all_times desc, u.title, u.year, run_id;
