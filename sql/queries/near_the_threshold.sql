-- Which verdicts would tip with a slightly other threshold?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 100 most frequent risks within 0.05 of it, by title and year of the film; risk: the highest over the constraints of the prompt.
select
    matched_title as title, matched_year as year, round(max_risk, 4) as risk, is_safe,
    count(*) as verdicts, count(distinct (step, completion)) as lists
from disagreement
where run_id = chosen_run() and reason = 'near threshold'
group by all
order by verdicts desc, title, year, risk, is_safe
limit 100;
