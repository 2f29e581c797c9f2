-- grain: one run, the newest first. What a person tells runs apart by. Built on runs.
select
    run_id, kind, in_calendar(started_at) as started_at, model, dataset, rec_num, num_generations, reward_func, advantage_mode,
    penalty_safe, safety_discount, risk_threshold, unresolved, unrated, columns('^lambda_|^w_'),
    coalesce(length_control, 0) as length_control,
    map_keys(own_weights) as own_rewards, map_values(own_weights) as own_weights,
    training_run(settings) as training_run, rejudged_from(settings) as rejudged_from, settings, versions, git
from runs
order by run_order(runs.started_at, run_id) desc;
