-- Where is nothing learnt? Ranks at which all answers of a group earn the same
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
select rank, avg(no_signal_rate) as no_signal_rate, avg(mean_total_reward) as mean_reward
from rank_penalties
where run_id = chosen_run()
group by rank
order by rank;
