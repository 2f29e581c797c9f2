-- grain: one of the runs $runs x point of its curves: a step, or in long runs the mean over some steps, at most 300
-- points. smooth_* is the mean of the point and the two on each side. Built on step_curves.
with placed as (
    select *, greatest(1, ceil((max(step) over run - min(step) over run + 1) / 300))::integer as width
    from step_curves
    where list_contains($runs, run_id)
    window run as (partition by run_id)
),
points as (
    select
        run_id,
        (min(step))::integer as step,
        avg(svr) as svr,
        avg(recall) as recall,
        avg(films_per_list) as films_per_list,
        avg(unresolved_rate) as unresolved_rate,
        avg(duplicate_rate) as duplicate_rate,
        avg(mean_total_reward) as mean_total_reward
    from placed
    group by run_id, step // width
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
window near as (partition by run_id order by step rows between 2 preceding and 2 following)
order by run_id, step;
