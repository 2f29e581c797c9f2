-- Where is nothing learnt? Ranks at which all advantages of a group are 0
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- Over all groups, and all answers, of the run's steps alike.
select
    rank, sum(cells_without_signal) / nullif(sum(cells), 0) as no_signal_rate,
    sum(r_total) / nullif(sum(rewarded), 0) as mean_reward
from rank_sums join run_shape using (run_id)
where run_id = chosen_run() and rank <= rewarded_ranks
group by rank
order by rank;
