-- grain: one run, the newest first, over all of its steps. Built on runs and summary_of_runs.
-- Figures are over the completions whose prompt has constraints (lists of them); without any of those, over all.
select
    run_id, r.kind, in_calendar(r.started_at) as started_at, r.model, r.lambda_safe,
    s.steps, s.lists, s.lists_all,
    s.svr_5, s.svr_10, s.svr_20, s.svr_20_low, s.svr_20_high, s.svr_20_known, s.unrated_rate,
    if(s.lists > 0, s.ambiguous_rate, s.ambiguous_rate_all) as ambiguous_rate,
    if(s.lists > 0, s.recall_20, s.recall_20_all) as recall_20,
    if(s.lists > 0, s.ndcg_20, s.ndcg_20_all) as ndcg_20,
    s.sensitivity_dcg,
    if(s.lists > 0, s.films_per_list, s.films_per_list_all) as films_per_list,
    if(s.lists > 0, s.duplicate_rate, s.duplicate_rate_all) as duplicate_rate,
    if(s.lists > 0, s.unresolved_rate, s.unresolved_rate_all) as unresolved_rate
from runs r join summary_of_runs(false) s using (run_id)
order by run_order(r.started_at, run_id) desc;
