-- What did training change? The first and the last tenth of a run's steps
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- Means over steps: as many of them at first as at last, and never the same ones; of one step there is no last.
with numbered as (
    select *, row_number() over (order by step) as nth, count(*) over () as steps from step_curves where run_id = chosen_run()
),
parts as (
    select *, nth <= greatest(1, steps // 10) as is_first, nth > steps - greatest(1, steps // 10) as is_last from numbered
)
select
    case when is_first then 'first' else 'last' end as part,
    min(step) as from_step, max(step) as to_step,
    avg(svr) as svr, avg(svr_high) as svr_high, avg(unresolved_rate) as unresolved_rate, avg(unrated_rate) as unrated_rate, avg(recall) as recall, avg(ndcg) as ndcg,
    avg(films_per_list) as films_per_list, avg(duplicate_rate) as duplicate_rate, avg(mean_total_reward) as reward
from parts
where is_first or is_last
group by part
order by part;
