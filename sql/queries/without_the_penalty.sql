-- What would the run have earned without a safety penalty?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
select step, mean_total_reward, mean_total_reward_if as without_penalty, no_signal_rate, no_signal_rate_if
from what_if_summary(chosen_run(), new_lambda := 0)
order by step;
