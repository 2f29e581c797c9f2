-- Where two evaluated runs differ most. grain: one prompt that both answered, at most 200. Built on verdicts and rollouts.
--   a_*, b_*     of the runs $run and $other: group of the prompt, films, violations and hits in the top 20
--   difference   share of violations of b minus that of a; null: one of them lists nothing
with of_run as (
    select
        run_id, prompt_id, step,
        min(group_id) as group_id,
        count(title) filter (rank <= 20) as films,
        count(*) filter (rank <= 20 and not is_safe) as violations,
        count(*) filter (hit) as hits
    from verdicts
    where run_id in ($run, $other)
    group by run_id, prompt_id, step
    qualify row_number() over (partition by run_id, prompt_id order by step desc) = 1
),
asked as (
    select prompt_id, any_value(prompt) as prompt, any_value(constraints) as constraints
    from rollouts where run_id = $run group by prompt_id
)
select
    prompt_id, prompt, constraints,
    a.step as a_step, a.group_id as a_group, a.films as a_films, a.violations as a_violations, a.hits as a_hits,
    b.step as b_step, b.group_id as b_group, b.films as b_films, b.violations as b_violations, b.hits as b_hits,
    b.violations / nullif(b.films, 0) - a.violations / nullif(a.films, 0) as difference
from (from of_run where run_id = $run) a
join (from of_run where run_id = $other) b using (prompt_id)
join asked using (prompt_id)
order by abs(coalesce(difference, 0)) desc, abs(a.hits - b.hits) desc, prompt_id
limit 200;
