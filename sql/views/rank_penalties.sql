-- grain: run x step x rank (1..K, and K + 1 where the end of a list is rewarded). Built on rank_sums.
--   lists, films, violations, hits, unresolved, unrated, repeated   counts at this rank; K + 1 is beyond the list, and what stands
--                   there counts in no figure of a run
--   penalty         mean r_safe per list (<= 0); hit_reward: mean r_rel, both before weights; mean_total_reward: mean r_total
--   mean_advantage  mean advantage per list, 0 where a list's rank is left out; null where nothing was trained on
--   no_signal_rate  share of groups whose advantages are all 0 at this rank: nothing is learnt there
create or replace view rank_penalties as
select
    run_id,
    step,
    rank,
    sum(lists)::bigint as lists,
    sum(films)::bigint as films,
    sum(violations)::bigint as violations,
    sum(hits)::bigint as hits,
    sum(unresolved)::bigint as unresolved,
    sum(unrated)::bigint as unrated,
    sum(repeated)::bigint as repeated,
    sum(violations) / nullif(sum(films), 0) as violation_rate,
    sum(r_safe) / sum(lists) as penalty,
    sum(r_rel) / sum(lists) as hit_reward,
    sum(r_total) / nullif(sum(rewarded), 0) as mean_total_reward,
    sum(advantage) / sum(lists) as mean_advantage,
    sum(cells_without_signal) / nullif(sum(cells), 0) as no_signal_rate
from rank_sums join run_shape using (run_id)
where rank <= rewarded_ranks
group by run_id, step, rank;
