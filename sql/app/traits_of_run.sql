-- grain: trait that prompts of the run $run want avoided, the most violated first. Built on trait_breakdown.
--   lists, films, violations, penalty   over the whole run; violation_rate = violations / films
--   first_rate, last_rate               the rate in the first and the last third of the steps
with thirds as (
    select *, ntile(3) over (order by step) as third
    from (select distinct step from trait_breakdown where run_id = $run)
)
select
    trait,
    sum(lists)::bigint as lists,
    sum(films)::bigint as films,
    sum(violations)::bigint as violations,
    sum(violations) / nullif(sum(films), 0) as violation_rate,
    sum(penalty) as penalty,
    sum(mean_risk * violations) / nullif(sum(violations), 0) as mean_risk,
    sum(violations) filter (third = 1) / nullif(sum(films) filter (third = 1), 0) as first_rate,
    sum(violations) filter (third = 3) / nullif(sum(films) filter (third = 3), 0) as last_rate,
    sum(sum(violations)) over () as all_violations
from trait_breakdown join thirds using (step)
where run_id = $run
group by trait
order by violations desc, trait;
