-- grain: one verdict. Rewards and advantages of the log, and the same computed again from what was emitted and found
-- and the run's settings. On an honest log no row differs. Built on views/what_if.sql.
--   own           name, weight and value of each own reward: it can't be derived again, its logged value is taken as given
--   *_again       computed; status_again and is_safe_again from the highest risk and the run's threshold.
--   difference    the largest gap (see views/what_if.sql) of all parts, the total and the advantage
--   differs       more than rounding (1e-6 of the value, absolutely below 1), or another verdict
-- The same for one run or step or, with null, all of them; the view below asks for all.
create or replace macro rederive(run, step_number := null) as table
select
    run_id, step, completion, rank,
    status, status_if as status_again,
    is_safe, safe_if as is_safe_again,
    columns(lambda c: starts_with(c, 'r_') and not ends_with(c, '_if')), columns('^(r_.+)_if$') as '\1_again',
    own,
    length_control, length_control_if as length_control_again,
    advantage, advantage_if as advantage_again,
    greatest(
        reward_gap, gap(coalesce(length_control, 0), length_control_if), gap(advantage, advantage_if)
    ) as difference,
    is_safe is distinct from safe_if or coalesce(status <> status_if, false) or difference > 1e-6 as differs
from what_if(run, step_number := step_number);

create or replace view rederivation as from rederive(null);
