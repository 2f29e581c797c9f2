-- grain: one step of the run $run. Built on rollouts.
select distinct step from rollouts where run_id = $run order by step;
