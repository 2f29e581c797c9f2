-- What would the run have earned without a safety penalty, or with a stricter threshold?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
select o.step, o.svr, o.mean_total_reward, free.mean_total_reward_if as without_penalty, strict.svr_if as svr_at_half
from what_if_summary(chosen_run()) o
join what_if_summary(chosen_run(), new_lambda := 0) free using (step)
join what_if_summary(chosen_run(), new_threshold := 0.5) strict using (step)
order by o.step;
