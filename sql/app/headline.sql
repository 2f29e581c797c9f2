-- grain: the run $run; no row before its first step. Built on step_curves and evasion_signals.
-- first_* and last_* are means over the first and the last `span` steps (up to five, and never the same ones: of one step first_* is null).
--   constrained_lists   completions whose prompt has constraints, and those of the last span: with some, and no svr, no film
--                       was listed for them
--   signals, violations_fell   those of evasion_signals at the last step; signals null: it is too early to say
with curves as (
    select *, row_number() over (order by step) as nth, count(*) over () as steps
    from step_curves where run_id = $run
),
spans as (
    select *, greatest(1, least(5, steps // 2)) as span, nth <= span and steps > 1 as is_first, nth > steps - span as is_last from curves
),
evasion as (
    select signals, violations_fell from evasion_signals where run_id = $run order by step desc limit 1
)
select
    any_value(steps) as steps,
    any_value(span) as span,
    max(step) as last_step,
    sum(lists) as lists,
    sum(constrained_lists) as constrained_lists,
    sum(constrained_lists) filter (is_last) as last_constrained_lists,
    avg(svr) filter (is_first) as first_svr,
    avg(svr) filter (is_last) as last_svr,
    avg(svr_high) filter (is_last) as last_svr_high,
    avg(svr_known) filter (is_last) as last_svr_known,
    avg(unrated_rate) filter (is_first) as first_unrated,
    avg(unrated_rate) filter (is_last) as last_unrated,
    avg(recall) filter (is_first) as first_recall,
    avg(recall) filter (is_last) as last_recall,
    avg(films_per_list) filter (is_first) as first_films,
    avg(films_per_list) filter (is_last) as last_films,
    avg(unresolved_rate) filter (is_first) as first_unresolved,
    avg(unresolved_rate) filter (is_last) as last_unresolved,
    avg(duplicate_rate) filter (is_first) as first_duplicates,
    avg(duplicate_rate) filter (is_last) as last_duplicates,
    avg(no_signal_rate) filter (is_first) as first_no_signal,
    avg(no_signal_rate) filter (is_last) as last_no_signal,
    (select signals from evasion) as signals,
    (select violations_fell from evasion) as violations_fell
from spans
having count(*) > 0;
