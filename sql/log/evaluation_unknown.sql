-- Titles that were not found. grain: title as written x run, for the $most that were named most often over all $runs.
-- Built on verdicts.
with unknown as (
    select run_id, title, year from verdicts
    where list_contains($runs::varchar[], run_id) and title is not null and match_method is null and rank <= 20
),
most_named as (
    select title, year, count(*) as times from unknown group by title, year order by times desc, title, year limit $most
)
select run_id, u.title, u.year, count(*) as times, any_value(m.times) as all_times
from unknown u join most_named m on u.title = m.title and u.year is not distinct from m.year
group by run_id, u.title, u.year
order by all_times desc, u.title, u.year, run_id;
