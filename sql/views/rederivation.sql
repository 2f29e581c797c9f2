-- grain: one verdict. Rewards and advantages of the log, and the same computed again from what was emitted and found
-- and the run's settings. On an honest log no row differs. Built on views/what_if.sql.
--   *_again       computed; is_safe_again from the evidence and the run's threshold
--   difference    the largest gap (see views/what_if.sql) of all parts, the total and the advantage
--   differs       more than rounding (1e-6 of the value, absolutely below 1), or another verdict
-- The same for one run or step or, with null, all of them; the view below asks for all.
create or replace macro rederive(run, step_number := null) as table
select
    run_id, step, completion, rank,
    is_safe, safe_if as is_safe_again,
    r_rel, r_rel_if as r_rel_again,
    r_safe, r_safe_if as r_safe_again,
    r_count, r_count_if as r_count_again,
    r_end, r_end_if as r_end_again,
    r_repeat, r_repeat_if as r_repeat_again,
    r_total, r_total_if as r_total_again,
    advantage, advantage_if as advantage_again,
    greatest(reward_gap, gap(advantage, advantage_if)) as difference,
    is_safe is distinct from safe_if or greatest(reward_gap, gap(advantage, advantage_if)) > 1e-6 as differs
from what_if(run, step_number := step_number);

create or replace view rederivation as from rederive(null);
