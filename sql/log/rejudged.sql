-- The verdicts of the step $step of the run $run, with the rewards and advantages that follow from them: those of a run whose
-- answers were judged again, before its rewards are known. grain: a verdict. Built on verdicts and views/what_if.sql.
select
    v.* exclude (r_rel, r_safe, r_count, r_end, r_repeat, r_total, advantage),
    r_rel_if as r_rel, r_safe_if as r_safe, r_count_if as r_count, r_end_if as r_end, r_repeat_if as r_repeat,
    r_total_if as r_total, advantage_if as advantage
from verdicts v join what_if($run, step_number := $step) using (run_id, step, completion, rank)
order by completion, rank;
