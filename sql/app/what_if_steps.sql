-- grain: step of the run $run, evenly chosen so that about $most verdicts are judged again. Built on rollouts, runs.
--   all_steps   how many the run has
with steps as (
    select step, count(*) * any_value(rec_num) as verdicts
    from rollouts join runs using (run_id)
    where run_id = $run
    group by step
),
numbered as (
    select
        step,
        row_number() over (order by step desc) - 1 as nth,
        count(*) over () as all_steps,
        ceil(sum(verdicts) over () / $most) as stride
    from steps
)
select step, all_steps
from numbered
where nth % greatest(1, stride) = 0
order by step;
