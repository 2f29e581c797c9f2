-- grain: rank of the run $run, over all its steps. Built on rank_penalties; means are weighted by lists.
--   violation_rate   of the films at this rank; penalty, hit_reward: mean r_safe and r_rel a list
select
    rank,
    sum(lists)::bigint as lists,
    sum(violations)::bigint as violations,
    sum(violations) / nullif(sum(films), 0) as violation_rate,
    sum(hits) / sum(lists) as hit_rate,
    sum(penalty * lists) / sum(lists) as penalty,
    sum(hit_reward * lists) / sum(lists) as hit_reward
from rank_penalties
where run_id = $run
group by rank
order by rank;
