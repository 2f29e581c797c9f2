-- Runs side by side: how safe, how good, how long are the lists?
-- Violation rates are over the prompts with constraints, always with the share of titles that were not found.
select
    r.run_id, r.kind, s.step, s.steps, r.model, r.advantage_mode, r.lambda_safe, r.unresolved,
    s.lists, s.svr_20, s.unresolved_rate, s.recall_20, s.recall_safe_20, s.ndcg_20, s.films_per_list, s.duplicate_rate
from run_summary s join runs r using (run_id)
order by run_order(r.started_at, run_id) desc, s.step;
