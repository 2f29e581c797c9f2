-- The reward $reward of the run $run, somebody's own: its sum over the ranks of an answer before weights, mean over the answers of
-- all steps. Built on verdicts.
select sum(own_rewards[$reward]) / count(*) filter (rank = 1) as own from verdicts where run_id = $run;
