-- Does the policy get safer by cheating: shorter lists, repeats, titles that nobody knows?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- Steps with at least one signal, against the run's first five steps.
select
    step, signals, svr, films_per_list, first_films_per_list, duplicate_rate, first_duplicate_rate,
    unresolved_rate, first_unresolved_rate, unrated_rate, first_unrated_rate, overlong_rate, recall, first_recall
from evasion_signals
where run_id = chosen_run() and len(signals) > 0
order by step;
