-- How unsafe would the run have been with a threshold of 0.5?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
select step, svr, svr_if, punished, punished_if, no_signal_rate, no_signal_rate_if
from what_if_summary(chosen_run(), new_threshold := 0.5)
order by step;
