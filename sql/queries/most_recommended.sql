-- Does the policy settle on few films? The films recommended most, by part of the run
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 50 most frequent in the top K. first_half, second_half: of the run's steps, without the middle one of an odd number; null below
-- two steps.
with halves as (
    select middle_step(step) as middle from rank_sums where run_id = chosen_run()
)
select
    matched_title as title, matched_year as year, count(*) as times,
    case when middle is not null then count(*) filter (step < middle) end as first_half,
    case when middle is not null then count(*) filter (step > middle) end as second_half,
    count(*) filter (not is_safe) as violations, count(*) filter (hit) as hits
from verdicts, halves
where run_id = chosen_run() and imdb_id is not null and rank <= run_k
group by imdb_id, matched_title, matched_year, middle
order by times desc, title, imdb_id
limit 50;
