-- At which ranks do violations and penalties fall?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- Over all lists, films and groups of the run's steps alike, as on the page Rank penalties: mean_penalty, mean_hit_reward a list.
select
    rank, sum(films)::bigint as films, sum(violations)::bigint as violations,
    sum(violations) / nullif(sum(films), 0) as violation_rate,
    sum(r_safe) / sum(lists) as mean_penalty, sum(r_rel) / sum(lists) as mean_hit_reward,
    sum(cells_without_signal) / nullif(sum(cells), 0) as no_signal_rate
from rank_sums join run_shape using (run_id)
where run_id = chosen_run() and rank <= rewarded_ranks
group by rank
order by rank;
