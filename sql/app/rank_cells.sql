-- grain: rank x span of steps of the run $run, at most 60 spans. Built on rank_penalties, rank_sums and loss_by_rank.
--   first_step, last_step   of the span; penalty: mean r_safe a list; violation_rate: of the films at this rank
--   hit_rate                hits a list
--   signal                  standard deviation of the advantages in a group, mean over groups: how much is taught here
--                           (their mean is 0 at every rank, by construction)
--   ratio, clip_ratio, kl   what the loss made of the rank, mean over lists; null: not logged, or no KL term
with spreads as (
    select step, rank, sum(spread) / sum(cells) as spread
    from rank_sums where run_id = $run and cells > 0
    group by step, rank
),
-- A batch may be used for several steps, and the loss is logged now and then: it counts where the batch was answered.
loss as (
    select
        answered.step, rank,
        sum(lists) as loss_lists,
        sum(ratio * lists) / sum(lists) as ratio,
        sum(clip_ratio * lists) / sum(lists) as clip_ratio,
        sum(kl * lists) / sum(lists) as kl
    from loss_by_rank
    asof join (select distinct step from rank_penalties where run_id = $run) as answered on loss_by_rank.step >= answered.step
    where run_id = $run
    group by answered.step, rank
),
placed as (
    select
        *, min(step) over () as origin,
        greatest(1, ceil((max(step) over () - min(step) over () + 1) / 60))::integer as width
    from rank_penalties left join spreads using (step, rank) left join loss using (step, rank)
    where run_id = $run
)
select
    rank,
    (min(step))::integer as first_step,
    (max(step))::integer as last_step,
    sum(lists)::bigint as lists,
    sum(violations)::bigint as violations,
    sum(penalty * lists) / sum(lists) as penalty,
    sum(violations) / nullif(sum(films), 0) as violation_rate,
    sum(hits) / sum(lists) as hit_rate,
    sum(spread * lists) / sum(lists) filter (spread is not null) as signal,
    sum(ratio * loss_lists) / sum(loss_lists) as ratio,
    sum(clip_ratio * loss_lists) / sum(loss_lists) as clip_ratio,
    sum(kl * loss_lists) / sum(loss_lists) as kl
from placed
group by rank, (step - origin) // width
order by first_step, rank;
