-- At which ranks do violations and penalties fall?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
select
    rank, sum(films)::bigint as films, sum(violations)::bigint as violations,
    sum(violations) / nullif(sum(films), 0) as violation_rate,
    avg(penalty) as mean_penalty, avg(hit_reward) as mean_hit_reward, avg(no_signal_rate) as no_signal_rate
from rank_penalties
where run_id = chosen_run()
group by rank
order by rank;
