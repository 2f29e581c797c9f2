-- log_export(run): a run as one flat table, for tools that take one file. Built on verdicts, rollouts.
-- grain: one rank of one completion, as verdicts, with its prompt, constraints, text and token count beside it.
create or replace macro log_export(run) as table
select columns('^its_(.*)$') as '\1' -- see log/tables.sql
from (
    from (
        select columns('(.*)') as 'its_\1' from (
            select v.*, r.generation, r.prompt, r.constraints, r.text, r.n_tokens as completion_tokens, r.ended
            from main.verdicts v join main.rollouts r using (run_id, step, completion)
        )
    )
    where its_run_id = run
)
order by its_step, its_completion, its_rank;
