-- grain: one of the steps $steps of the run $run, or in long runs the mean over some of them, at most 300 points; as it was
-- and as it would have been (*_if) with other settings.
-- last_*: the mean of the last five of these steps. Built on what_if_summary, where the columns are told.
with judged as (
    select
        *,
        row_number() over (order by step) as number,
        row_number() over (order by step desc) as nth,
        greatest(1, ceil(count(*) over () / 300))::integer as width
    from what_if_summary(
        $run, new_lambda := $lambda, new_penalty := $penalty, new_threshold := $threshold, new_unresolved := $unresolved,
        new_unrated := $unrated, new_weights := map($own::varchar[], $weights::double[])
    )
    where list_contains($steps, step)
),
last as (
    select
        avg(svr) as last_svr,
        avg(svr_if) as last_svr_if,
        avg(mean_total_reward) as last_reward,
        avg(mean_total_reward_if) as last_reward_if,
        avg(no_signal_rate) as last_no_signal,
        avg(no_signal_rate_if) as last_no_signal_if
    from judged
    where nth <= 5
),
points as (
    select
        (min(step))::integer as step,
        avg(svr) as svr,
        avg(svr_if) as svr_if,
        avg(punished) as punished,
        avg(punished_if) as punished_if,
        avg(mean_total_reward) as mean_total_reward,
        avg(mean_total_reward_if) as mean_total_reward_if,
        avg(no_signal_rate) as no_signal_rate,
        avg(no_signal_rate_if) as no_signal_rate_if
    from judged
    group by (number - 1) // width
)
from points, last
order by step;
