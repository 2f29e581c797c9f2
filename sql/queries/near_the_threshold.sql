-- Which verdicts would tip with a slightly other threshold?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 100 most frequent risks within 0.05 of it, one row a film and risk; risk: the highest over the constraints of the prompt.
with close as (
    select *, film_of(imdb_id, title, year) as film, round(max_risk, 4) as risk
    from disagreement
    where run_id = chosen_run() and reason = 'near threshold'
),
films as (
    select film, usual_title(matched_title, matched_year, title, year) as name from close group by film
)
select
    name.title as title, name.year as year, risk, is_safe,
    count(*) as verdicts, count(distinct (step, completion)) as lists
from close join films using (film)
group by film, name, risk, is_safe
order by verdicts desc, name, risk, is_safe, film
limit 100;
