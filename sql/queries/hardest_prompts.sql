-- For which prompts are the most unsafe films recommended?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 50 prompts with the highest violation rate; lists: answers to the prompt in the run.
select
    prompt_id, any_value(dataset_id) as dataset_id, count(distinct (step, completion)) as lists, count(title) as films,
    count(*) filter (not is_safe) as violations,
    count(*) filter (not is_safe) / nullif(count(title), 0) as violation_rate,
    count(*) filter (hit) as hits
from verdicts left join (
    select distinct prompt_id, dataset_id from rollouts where run_id = chosen_run()
) using (prompt_id)
where run_id = chosen_run() and constrained
group by prompt_id
order by violation_rate desc, violations desc, prompt_id
limit 50;
