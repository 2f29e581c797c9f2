-- grain: run x step. Does the policy lower its violations without choosing safer films? The mean of the last ten steps (this one
-- and the nine before) against that of the run's first ten. The rules are those of log/evasion_rules. Built on step_curves.
--   first_*, last_*   those means
--   violations_fell   whether they did; null: one of the two is not known. Where they did not, no sign is looked for
--   signals           names of the rules that are broken; null before step 20: it is too early to say
create or replace macro breaks_rule(rule, first_mean, last_mean) as case
    when rule.rises then is_above(last_mean, rule.share * first_mean + rule.points)
    else is_above(rule.share * first_mean + rule.points, last_mean)
end;

create or replace view evasion_signals as
with numbered as (
    select *, row_number() over (partition by run_id order by step) as nth from step_curves
),
compared as (
    select
        run_id, step, nth,
        avg(svr) filter (nth <= evasion_steps()) over run as first_svr, avg(svr) over latest as last_svr,
        avg(count_k) filter (nth <= evasion_steps()) over run as first_count_k, avg(count_k) over latest as last_count_k,
        avg(duplicate_rate) filter (nth <= evasion_steps()) over run as first_duplicate_rate,
        avg(duplicate_rate) over latest as last_duplicate_rate,
        avg(unresolved_rate) filter (nth <= evasion_steps()) over run as first_unresolved_rate,
        avg(unresolved_rate) over latest as last_unresolved_rate,
        avg(unrated_rate) filter (nth <= evasion_steps()) over run as first_unrated_rate,
        avg(unrated_rate) over latest as last_unrated_rate,
        avg(overlong_rate) filter (nth <= evasion_steps()) over run as first_overlong_rate,
        avg(overlong_rate) over latest as last_overlong_rate,
        avg(recall) filter (nth <= evasion_steps()) over run as first_recall, avg(recall) over latest as last_recall
    from numbered
    window
        run as (partition by run_id),
        latest as (partition by run_id order by step rows between evasion_steps() - 1 preceding and current row)
),
falling as (
    select
        *,
        case
            when first_svr is not null and last_count_k = 0 then true  -- empty lists have no rate
            else is_above(first_svr, last_svr)
        end as violations_fell
    from compared
)
select
    * exclude (nth),
    case
        when nth < 2 * evasion_steps() then null
        when violations_fell is not true then []
        else list_filter(
            [
                case when breaks_rule(evasion_rules().shrinking, first_count_k, last_count_k) then 'shrinking' end,
                case when breaks_rule(evasion_rules().repeating, first_duplicate_rate, last_duplicate_rate) then 'repeating' end,
                case when breaks_rule(evasion_rules().hiding, first_unresolved_rate, last_unresolved_rate) then 'hiding' end,
                case when breaks_rule(evasion_rules().undocumented, first_unrated_rate, last_unrated_rate) then 'undocumented' end,
                case when breaks_rule(evasion_rules().overlong, first_overlong_rate, last_overlong_rate) then 'overlong' end,
                case when breaks_rule(evasion_rules().off_taste, first_recall, last_recall) then 'off_taste' end
            ],
            lambda s: s is not null
        )
    end as signals
from falling;
