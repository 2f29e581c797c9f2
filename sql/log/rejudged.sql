-- The verdicts of the step $step of the run $run, with the rewards and advantages that follow from them: those of a run whose
-- answers were judged again, before its rewards are known. grain: a verdict. Built on verdicts and views/what_if.sql.
with derived as (
    select completion, rank, columns('^(r_.*|length_control)_if$') as '\1', advantage_if as advantage
    from what_if($run, step_number := $step)
),
judged as (
    select columns(lambda name: name not in ('length_control', 'advantage') and not starts_with(name, 'r_'))
    from verdicts
    where run_id = $run and step = $step
)
from judged join derived using (completion, rank)
order by completion, rank;
