-- For which prompts are the most unsafe films recommended?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 50 prompts with the highest violation rate; lists: answers to the prompt in the run; dataset_id: the first of those with
-- constraints, where several have this text.
select
    prompt_id, dataset_id, count(distinct (step, completion)) as lists, count(title) as films,
    count(*) filter (not is_safe) as violations,
    count(*) filter (not is_safe) / nullif(count(title), 0) as violation_rate,
    count(*) filter (hit) as hits
from verdicts left join (
    select prompt_id, min(dataset_id) as dataset_id from rollouts
    where run_id = chosen_run() and len(constraints) > 0 group by prompt_id
) using (prompt_id)
where run_id = chosen_run() and constrained and rank <= run_k
group by prompt_id, dataset_id
order by violation_rate desc, violations desc, prompt_id
limit 50;
