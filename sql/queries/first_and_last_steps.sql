-- What did training change? The first and the last tenth of a run's steps
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- Means over steps.
with tenths as (
    select *, ntile(10) over (order by step) as tenth from step_curves where run_id = chosen_run()
)
select
    case when tenth = min(tenth) over () then 'first' else 'last' end as part,
    min(step) as from_step, max(step) as to_step,
    avg(svr) as svr, avg(svr_high) as svr_high, avg(unresolved_rate) as unresolved_rate, avg(unrated_rate) as unrated_rate, avg(recall) as recall, avg(ndcg) as ndcg,
    avg(films_per_list) as films_per_list, avg(duplicate_rate) as duplicate_rate, avg(mean_total_reward) as reward
from tenths
where tenth in (1, (select max(tenth) from tenths))
group by tenth
order by tenth;
