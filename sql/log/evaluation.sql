-- The summary of chosen evaluation runs. grain: run x evaluated model. Built on run_summary and runs.
-- Parameters: $runs, a list of run ids.
select runs.model, run_summary.*
from run_summary join runs using (run_id)
where list_contains($runs::varchar[], run_id);
