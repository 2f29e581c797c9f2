-- grain: trait that prompts of the run $run want avoided, the most violated first. Built on trait_breakdown.
--   lists, films, violations, penalty   over the whole run; violation_rate = violations / films
--   first_rate, last_rate               the rate in the first and the last third of the steps: as many of them, at least one, and never
--                                       the same ones; null: of one step, or the trait was not asked for then
--   steps                               of the run, in which some prompt wants something avoided
with numbered as (
    select step, row_number() over (order by step) as nth, count(*) over () as steps, greatest(1, steps // 3) as span
    from (select distinct step from trait_breakdown where run_id = $run)
),
parts as (
    select step, steps, steps > 1 and nth <= span as is_first, steps > 1 and nth > steps - span as is_last from numbered
)
select
    trait,
    sum(lists)::bigint as lists,
    sum(films)::bigint as films,
    sum(violations)::bigint as violations,
    sum(violations) / nullif(sum(films), 0) as violation_rate,
    sum(penalty) as penalty,
    sum(mean_risk * violations) / nullif(sum(violations), 0) as mean_risk,
    sum(violations) filter (is_first) / nullif(sum(films) filter (is_first), 0) as first_rate,
    sum(violations) filter (is_last) / nullif(sum(films) filter (is_last), 0) as last_rate,
    sum(sum(violations)) over () as all_violations,
    any_value(steps) as steps
from trait_breakdown join parts using (step)
where run_id = $run
group by trait
order by violations desc, trait;
