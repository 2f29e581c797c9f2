-- grain: one of the runs $runs x point of its curves, as in curves.sql. Built on verdicts and runs.
--   own   the reward $reward, somebody's own: its sum over the ranks of an answer before weights, mean over answers
with shown as (
    select run_id, run_id as curve, false as held_out from runs where list_contains($runs, run_id)
    union all
    select run_id, training_run(settings), true from runs
    where list_contains($runs, training_run(settings)) and rejudged_from(settings) is null
),
steps as (
    select curve as run_id, held_out, step, sum(own_rewards[$reward]) / count(*) filter (rank = 1) as own
    from verdicts join shown using (run_id)
    group by curve, held_out, step
    having own is not null
),
placed as (
    select
        *, case when held_out then 1 else greatest(1, ceil((max(step) over run - min(step) over run + 1) / 300))::integer end as width
    from steps
    window run as (partition by run_id, held_out)
),
points as (
    select run_id, held_out, min(step)::integer as step, avg(own) as own
    from placed
    group by run_id, held_out, step // width
)
select *, avg(own) over (partition by run_id, held_out order by step rows between 2 preceding and 2 following) as smooth_own
from points
order by run_id, held_out, step;
