-- Where two evaluated runs differ most. grain: one prompt (its text and constraints) that both answered, at most 200. Built on verdicts
-- and rollouts.
--   name         of the prompt, in links: its prompt_id, with a number behind it where the text stands there with other constraints too
--   a_*, b_*     of the runs $run and $other, over all groups of the prompt (a text may stand in the dataset several times) and the ranks
--                that compare_runs counts, the top 20 or what the run with fewer has: films, violations, hits; groups: how many, and
--                step and group of the one that violates most, the latest of those alike
--   difference   share of violations of b minus that of a; null: one of them lists nothing
with asked as (
    select run_id, step, group_id, any_value(prompt_id) as prompt_id, any_value(list_sort(coalesce(constraints, []))) as constraints, any_value(prompt) as prompt
    from rollouts where run_id in ($run, $other) group by run_id, step, group_id
),
shared as (
    select least(20, min(rec_num)) as k from run_shape where run_id in ($run, $other)
),
of_group as (
    select
        run_id, step, group_id,
        count(title) filter (rank <= k) as films,
        count(*) filter (rank <= k and not is_safe) as violations,
        count(*) filter (rank <= k and hit) as hits
    from verdicts, shared
    where run_id in ($run, $other)
    group by run_id, step, group_id
),
answered as (
    select
        run_id, prompt_id, constraints, count(*) as groups,
        sum(films)::bigint as films, sum(violations)::bigint as violations, sum(hits)::bigint as hits,
        max((violations, step, -group_id)) as worst, arg_max(prompt, (violations, step, -group_id)) as prompt
    from asked join of_group using (run_id, step, group_id)
    group by run_id, prompt_id, constraints
)
select
    prompt_id || case when count(*) over same_text > 1 then '-' || row_number() over (same_text order by a.constraints) else '' end as name,
    a.prompt, constraints,
    a.worst[2] as a_step, -a.worst[3] as a_group, a.groups as a_groups, a.films as a_films, a.violations as a_violations, a.hits as a_hits,
    b.worst[2] as b_step, -b.worst[3] as b_group, b.groups as b_groups, b.films as b_films, b.violations as b_violations, b.hits as b_hits,
    b.violations / nullif(b.films, 0) - a.violations / nullif(a.films, 0) as difference
from (from answered where run_id = $run) a
join (from answered where run_id = $other) b using (prompt_id, constraints)
window same_text as (partition by prompt_id)
order by abs(coalesce(difference, 0)) desc, abs(a.hits - b.hits) desc, name
limit 200;
