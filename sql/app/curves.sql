-- grain: one of the runs $runs x point of its curves: a step, or in long runs the mean over some steps, at most 300
-- points. smooth_* is the mean of the point and the two on each side. Built on step_curves, and on runs for the
-- evaluations of these runs on held-out prompts: points of their own (held_out), each at the step after which it was made.
with shown as (
    select run_id, run_id as curve, false as held_out from runs where list_contains($runs, run_id)
    union all
    select run_id, training_run(settings), true from runs
    where list_contains($runs, training_run(settings)) and rejudged_from(settings) is null
),
placed as (
    select
        * exclude (run_id, curve), curve as run_id,
        case when held_out then 1 else greatest(1, ceil((max(step) over run - min(step) over run + 1) / 300))::integer end as width
    from step_curves join shown using (run_id)
    window run as (partition by step_curves.run_id)
),
points as (
    select
        run_id,
        held_out,
        (min(step))::integer as step,
        avg(svr) as svr,
        avg(recall) as recall,
        avg(films_per_list) as films_per_list,
        avg(unresolved_rate) as unresolved_rate,
        avg(duplicate_rate) as duplicate_rate,
        avg(mean_total_reward) as mean_total_reward
    from placed
    group by run_id, held_out, step // width
)
select
    *,
    avg(svr) over near as smooth_svr,
    avg(recall) over near as smooth_recall,
    avg(films_per_list) over near as smooth_films_per_list,
    avg(unresolved_rate) over near as smooth_unresolved_rate,
    avg(duplicate_rate) over near as smooth_duplicate_rate,
    avg(mean_total_reward) over near as smooth_mean_total_reward
from points
window near as (partition by run_id, held_out order by step rows between 2 preceding and 2 following)
order by run_id, held_out, step;
