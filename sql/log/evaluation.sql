-- The summary of chosen evaluation runs, and how they were made. grain: run x evaluated model. Built on run_summary and runs.
-- Parameters: $runs, a list of run ids.
select
    runs.model, runs.dataset, runs.risk_threshold, runs.started_at, runs.settings, runs.versions, runs.git,
    run_summary.*
from run_summary join runs using (run_id)
where list_contains($runs::varchar[], run_id);
