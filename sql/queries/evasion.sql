-- Does the policy get safer by cheating: shorter lists, repeats, titles that nobody knows?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- Steps with at least one signal: the last ten steps against the run's first ten. None before step 20.
select
    step, signals, first_svr, last_svr, first_count_k, last_count_k, first_duplicate_rate, last_duplicate_rate,
    first_unresolved_rate, last_unresolved_rate, first_unrated_rate, last_unrated_rate,
    first_overlong_rate, last_overlong_rate, first_recall, last_recall
from evasion_signals
where run_id = chosen_run() and len(signals) > 0
order by step;
