-- grain: one of the steps $steps of the run $run, as it was and as it would have been (*_if) with other settings.
-- last_*: the mean of the last five of these steps. Built on what_if_summary, where the columns are told.
select
    *,
    avg(svr) filter (nth <= 5) over () as last_svr,
    avg(svr_if) filter (nth <= 5) over () as last_svr_if,
    avg(mean_total_reward) filter (nth <= 5) over () as last_reward,
    avg(mean_total_reward_if) filter (nth <= 5) over () as last_reward_if,
    avg(no_signal_rate) filter (nth <= 5) over () as last_no_signal,
    avg(no_signal_rate_if) filter (nth <= 5) over () as last_no_signal_if
from (
    select *, row_number() over (order by step desc) as nth
    from what_if_summary(
        $run, new_lambda := $lambda, new_penalty := $penalty, new_threshold := $threshold, new_unresolved := $unresolved,
        new_unrated := $unrated, new_weights := map($own::varchar[], $weights::double[])
    )
    where list_contains($steps, step)
)
order by step;
