-- Does the policy settle on few films? The films recommended most, by part of the run
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 50 most frequent in the top K, one row a film, whatever titles it was found by. first_half, second_half: of the run's steps, without
-- the middle one of an odd number; null below two steps.
with halves as (
    select middle_step(step) as middle from rank_sums where run_id = chosen_run()
),
recommended as (
    select
        usual_title(matched_title, matched_year, title, year) as name, count(*) as times,
        case when middle is not null then count(*) filter (step < middle) end as first_half,
        case when middle is not null then count(*) filter (step > middle) end as second_half,
        count(*) filter (not is_safe) as violations, count(*) filter (hit) as hits,
        film_of(imdb_id, title, year) as film
    from verdicts, halves
    where run_id = chosen_run() and imdb_id is not null and rank <= run_k
    group by film, middle
)
select name.title as title, name.year as year, times, first_half, second_half, violations, hits
from recommended
order by times desc, title, year, film
limit 50;
