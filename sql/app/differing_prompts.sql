-- Where two evaluated runs differ most. grain: one prompt (its text and constraints) that both answered, at most 200. Built on verdicts
-- and rollouts.
--   name         of the prompt, in links: its prompt_id, with a number behind it where the text stands there with other constraints too
--   a_*, b_*     of the runs $run and $other: group of the prompt, films, violations and hits in the top 20 (and the run's rec_num)
--   difference   share of violations of b minus that of a; null: one of them lists nothing
with asked as (
    select run_id, prompt_id, list_sort(coalesce(constraints, [])) as constraints, max((step, -group_id)) as latest, arg_max(prompt, (step, -group_id)) as prompt
    from rollouts where run_id in ($run, $other) group by all
),
of_run as (
    select
        run_id, step, group_id,
        count(title) filter (rank <= least(20, run_k)) as films,
        count(*) filter (rank <= least(20, run_k) and not is_safe) as violations,
        count(*) filter (rank <= least(20, run_k) and hit) as hits
    from verdicts
    where run_id in ($run, $other)
    group by run_id, step, group_id
),
answered as (
    select asked.* exclude (latest), of_run.* exclude (run_id)
    from asked join of_run on of_run.run_id = asked.run_id and (step, -group_id) = latest
)
select
    prompt_id || case when count(*) over same_text > 1 then '-' || row_number() over (same_text order by a.constraints) else '' end as name,
    a.prompt, constraints,
    a.step as a_step, a.group_id as a_group, a.films as a_films, a.violations as a_violations, a.hits as a_hits,
    b.step as b_step, b.group_id as b_group, b.films as b_films, b.violations as b_violations, b.hits as b_hits,
    b.violations / nullif(b.films, 0) - a.violations / nullif(a.films, 0) as difference
from (from answered where run_id = $run) a
join (from answered where run_id = $other) b using (prompt_id, constraints)
window same_text as (partition by prompt_id)
order by abs(coalesce(difference, 0)) desc, abs(a.hits - b.hits) desc, name
limit 200;
