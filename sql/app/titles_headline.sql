-- grain: the run $run. Films listed in the top K, and the share not found in its first and last steps. Built on step_curves.
with numbered as (
    select *, row_number() over (order by step) as nth, count(*) over () as steps from step_curves where run_id = $run
)
select
    avg(unresolved_rate) as unresolved_rate,
    avg(unresolved_rate) filter (nth <= greatest(1, least(5, steps // 2))) as first_rate,
    avg(unresolved_rate) filter (nth > steps - greatest(1, least(5, steps // 2))) as last_rate,
    any_value(steps) as steps
from numbered
having count(*) > 0;
