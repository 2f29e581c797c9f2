-- grain: rank of the run $run x reward: safety, relevance, and those that are somebody's own. Built on rank_penalties,
-- verdicts.
--   reward   its mean at this rank before weights, a list; violations at this rank
with totals as (
    select
        rank,
        sum(lists) as lists,
        sum(violations)::bigint as violations,
        sum(penalty * lists) / sum(lists) as safety,
        sum(hit_reward * lists) / sum(lists) as relevance
    from rank_penalties
    where run_id = $run
    group by rank
),
own as (
    select rank, entry.key as part, sum(entry.value) as total
    from (select rank, unnest(map_entries(own_rewards)) as entry from verdicts where run_id = $run)
    group by rank, part
)
select rank, violations, 'safety' as part, safety as reward from totals
union all
select rank, violations, 'relevance', relevance from totals
union all
select rank, violations, part, total / lists from own join totals using (rank)
order by rank, part;
