-- Rewards and advantages, computed again from what the log says was emitted and found, with the run's own settings or
-- with others. Built on log/tables.sql. Every rule of the rewards is written down here once more, in SQL, independently of the
-- code that trained: re-derivation compares the two.

-- (x - mean) / (std + 1e-4) over a group; exactly 0 where the group agrees (std 0, or of one), null where x is left out.
create or replace macro group_normalised(x, mean, std) as
    case when std > 0 then (x - mean) / (std + 1e-4) when x is not null then 0 end;

-- The weight of a reward in a MAP of them by name; null where it isn't named.
create or replace macro weight_in(weights, name) as cast(weights as map(varchar, double))[name];

-- How far two rewards are apart, relative to the computed one where that is beyond 1; infinite if just one is null.
create or replace macro gap(stored, computed) as
    coalesce(
        abs(stored - computed) / greatest(1, abs(computed)),
        case when stored is null and computed is null then 0 else 'infinity'::double end
    );

-- A changed setting, or an error where it is none: it would change nothing, or something else. null: the run's own.
create or replace macro only_policy(name, policy) as
    case when policy is null or policy in ('safe', 'violation', 'ignore') then policy
         else error(concat(name, ' ', policy, ': expected safe, violation or ignore')) end;
create or replace macro only_share(name, x) as  -- to as many digits as risks have
    case when x is null or round(x, 9) > 0 and x <= 1 then round(x, 9) else error(concat(name, ' ', x, ': expected a number above 0, and at most 1')) end;
create or replace macro only_amount(name, x) as
    case when x is null or x >= 0 and x < 'infinity'::double then x else error(concat(name, ' ', x, ': expected a number of at least 0')) end;
-- Weights may be negative, as those of --reward_weights.
create or replace macro only_rewards(weights, known) as
    case when not coalesce(list_has_all(known, map_keys(cast(weights as map(varchar, double)))), true)
             then error(concat('new_weights ', weights, ': expected some of ', array_to_string(list_sort(known), ', ')))
         when not coalesce(list_bool_and(list_transform(map_values(cast(weights as map(varchar, double))), lambda w: isfinite(w))), true)
             then error(concat('new_weights ', weights, ': expected finite numbers'))
         else weights end;

-- What films that can't be judged count as, as a value of is_safe; null: ignored.
create or replace macro counts_as(policy) as case policy when 'safe' then true when 'violation' then false end;

-- grain: one verdict, with its reward parts under the given settings. run or step null: all; a setting null: the run's own.
-- Adds to the columns of verdicts: status_if, safe_if, r_*_if, length_control_if; own: name, weight and value of each own reward;
-- ignored: the film has no verdict; excluded: or an own reward left it out; slot: takes part in advantages; reward_gap: the largest gap
-- between a stored and a computed reward.
create or replace macro rewards_if(
    run, step_number, new_lambda, new_penalty, new_threshold, new_unresolved, new_unrated, new_weights
) as table
with asked as not materialized ( -- beside no table: its columns could have the names of what a caller gives
    select
        only_amount('new_lambda', new_lambda) as asked_lambda, only_amount('new_penalty', new_penalty) as asked_penalty,
        only_share('new_threshold', new_threshold) as asked_threshold, only_policy('new_unresolved', new_unresolved) as asked_unresolved,
        only_policy('new_unrated', new_unrated) as asked_unrated, new_weights as all_weights
),
runs_of as not materialized (
    select columns('^its_(.*)$') as '\1' -- see log/tables.sql
    from (from (select columns('(.*)') as 'its_\1' from main.runs) where run is null or its_run_id = run)
),
verdicts_of as not materialized (
    select columns('^its_(.*)$') as '\1'
    from (
        from (select columns('(.*)') as 'its_\1' from main.verdicts)
        where (run is null or its_run_id = run) and (step_number is null or its_step = step_number)
    )
),
given as not materialized (
    select only_rewards(
        any_value(all_weights), ['relevance', 'safety', 'count', 'end', 'repeat'] || coalesce(flatten(list(map_keys(own_weights))), [])
    ) as asked_weights
    from runs_of, asked
),
settings as not materialized (
    select
        run_id, kind, rec_num, reward_func, safety_discount, lambda_count, lambda_end, lambda_repeat, advantage_mode,
        length_control as control,
        ranks_of_run(rec_num, lambda_end, length_control, settings) as slots,
        coalesce(target_count, rec_num) as target,
        w_safe as own_w_safe,
        coalesce(weight_in(asked_weights, 'relevance'), w_rel) as w_rel,
        coalesce(weight_in(asked_weights, 'safety'), w_safe) as w_safe,
        coalesce(weight_in(asked_weights, 'count'), w_count) as w_count,
        coalesce(weight_in(asked_weights, 'end'), w_end) as w_end,
        coalesce(weight_in(asked_weights, 'repeat'), w_repeat) as w_repeat,
        own_weights, asked_weights,
        coalesce(json_extract_string(settings, '$.missing_ranks'), 'zero') = 'leave_out' as leaves_missing_out,
        coalesce(asked_lambda, lambda_safe) * coalesce(asked_penalty, penalty_safe) as price,
        asked_threshold, risk_threshold,
        coalesce(asked_unresolved, unresolved) as unresolved_policy,
        coalesce(asked_unrated, unrated, 'safe') as unrated_policy
    from runs_of, asked, given
),
-- What an earlier rank earns from the hits behind it; no rows unless the run asks for that reward.
suffixes as not materialized (
    select
        run_id, step, completion, rank,
        sum(hit::int * dcg_weight(rank)) over (
            partition by run_id, step, completion order by rank desc rows unbounded preceding
        ) as suffix
    from verdicts_of join settings using (run_id)
    where reward_func = 'suffix_dcg' and rank <= rec_num
),
judged as not materialized (
    select
        v.*, s.* exclude (run_id),
        rank <= rec_num as ranked,
        rank <= slots and kind = 'train' as slot,
        title is null and start is not null as cut_off,
        -- An earlier version logged all digits of a risk, and compared them.
        coalesce(round(max_risk, 9) >= asked_threshold, max_risk >= risk_threshold) as reaches,
        -- Cut off in the middle of its title; or missing, where such ranks are left out (but for the end of the list).
        cut_off or title is null and leaves_missing_out and rank <= rec_num and rank > n_films + slots - rec_num as left_out,
        case
            when title is null then null
            when not constrained then true
            when reaches then false
            when match_method is null then counts_as(unresolved_policy)
            when len(unrated_traits) > 0 then counts_as(unrated_policy)
            else true
        end as safe_if,
        case
            when title is null then null
            when constrained and reaches then 'unsafe'
            when match_method is null then 'unresolved'
            when constrained and len(unrated_traits) > 0 then 'unrated'
            else 'safe'
        end as status_if
    from verdicts_of v join settings s using (run_id)
),
parted as not materialized (
    select
        judged.*,
        left_out or ranked and title is not null and safe_if is null as ignored,
        case
            when not ranked then 0
            when reward_func = 'suffix_dcg' then coalesce(suffix, 0)
            when not coalesce(hit, false) then 0
            when reward_func = 'exp_inf' then 1
            else dcg_weight(rank)
        end as relevance,
        case
            when not ranked or coalesce(safe_if, true) then 0
            else -price * case safety_discount when 'dcg' then dcg_weight(rank) else 1 end
        end as safety,
        case
            when left_out then null
            when not ranked then 0
            when n_films = target then lambda_count
            else -lambda_count * abs(n_films - target) / target
        end as r_count_if,
        case
            when left_out then null
            when n_films <> rec_num and rank = least(n_films, rec_num) + 1 then -lambda_end
            else 0
        end as r_end_if,
        case when ranked and repeated then -lambda_repeat else 0 end as repetition,
        -- Own rewards can't be derived again: their logged values are taken as given, and only their weights can change.
        -- (CASE spares runs without any the work on lists, here and below.)
        case when own_rewards is not null then list_transform(map_entries(own_rewards), lambda e: {
            name: e.key, weight: coalesce(weight_in(asked_weights, e.key), weight_in(own_weights, e.key)), value: e.value
        }) end as own,
        case
            when slot and not cut_off and coalesce(control, 0) > 0 and rank = least(n_films, rec_num) + 1
                then case when n_films = rec_num then control else -control end
            else 0
        end as length_control_if
    from judged left join suffixes using (run_id, step, completion, rank)
)
select *, greatest(
    gap(r_rel, r_rel_if), gap(r_safe, r_safe_if), gap(r_count, r_count_if), gap(r_end, r_end_if),
    gap(r_repeat, r_repeat_if), gap(r_total, r_total_if)
) as reward_gap
from (
    select
        * exclude (relevance, safety, repetition),
        case when not ignored then relevance end as r_rel_if,
        case when not ignored then safety end as r_safe_if,
        case when not ignored then repetition end as r_repeat_if,
        case when not excluded then
            w_rel * relevance + w_safe * safety + w_count * r_count_if + w_end * r_end_if + w_repeat * repetition + owned
        end as r_total_if
    from (
        select
            *,
            case when own is null then ignored else ignored or len(list_filter(own, lambda e: e.value is null)) > 0 end as excluded,
            case when own is null then 0 else coalesce(list_sum(list_transform(own, lambda e: e.weight * e.value)), 0) end as owned
        from parted
    )
);

-- grain: one verdict. What it would have earned, and taught, under other settings: the same answers, judged again.
--   step_number               one step; null: the run's steps, all of them
--   new_lambda, new_penalty   of the safety penalty -lambda * penalty, at least 0; new_threshold: risk from which a film violates
--   new_unresolved, new_unrated   'safe' | 'violation' | 'ignore'; each null = as it was
--   new_weights               MAP of a reward's name (own ones too) to its weight, a finite number; those not named are as they were
--   status_if, safe_if, r_*_if   verdict and reward parts; r_total_if their weighted sum; null = left out of the mean
--   advantage_if              grpo: (r - mean) / (std + 1e-4) over the group, rank by rank. gdpo: each reward so on its
--                             own, their weighted sum, divided by (its std over the step + 1e-4). 0 where left out,
--                             null beyond the rewarded ranks and in an evaluation. Standard deviations are unbiased.
create or replace macro what_if(
    run, new_lambda := null, new_penalty := null, new_threshold := null, new_unresolved := null, new_unrated := null,
    new_weights := null, step_number := null
) as table
with parts as not materialized (
    from rewards_if(run, step_number, new_lambda, new_penalty, new_threshold, new_unresolved, new_unrated, new_weights)
),
-- What one reward leaves out has no say in any mean: its count and end rewards are left out too.
groups as not materialized (
    select
        run_id, step, group_id, rank,
        avg(r_total_if) as total_mean, stddev_samp(r_total_if) as total_std,
        avg(r_rel_if) as rel_mean, stddev_samp(r_rel_if) as rel_std,
        avg(r_safe_if) as safe_mean, stddev_samp(r_safe_if) as safe_std,
        avg(r_count_if) as count_mean, stddev_samp(r_count_if) as count_std,
        avg(r_end_if) as end_mean, stddev_samp(r_end_if) as end_std,
        avg(r_repeat_if) as repeat_mean, stddev_samp(r_repeat_if) as repeat_std
    from parts
    where slot and not excluded
    group by run_id, step, group_id, rank
),
-- Nothing is read for it unless the run has rewards of its own.
own_values as not materialized (
    select run_id, step, completion, rank, group_id, unnest(own, recursive := true)
    from parts
    where slot and advantage_mode = 'gdpo' and cardinality(own_weights) > 0 and not excluded and len(own) > 0
),
own_signals as not materialized (
    select run_id, step, completion, rank, sum(weight * normalised) as own_signal
    from (
        select *, group_normalised(value, avg(value) over of_group, stddev_samp(value) over of_group) as normalised
        from own_values
        window of_group as (partition by run_id, step, group_id, rank, name)
    )
    group by run_id, step, completion, rank
),
signals as not materialized (
    select
        parts.*,
        case
            when excluded or not slot then null
            when advantage_mode = 'grpo' then group_normalised(r_total_if, total_mean, total_std)
            when advantage_mode = 'gdpo' then
                w_rel * group_normalised(r_rel_if, rel_mean, rel_std)
                + w_safe * group_normalised(r_safe_if, safe_mean, safe_std)
                + w_count * group_normalised(r_count_if, count_mean, count_std)
                + w_end * group_normalised(r_end_if, end_mean, end_std)
                + w_repeat * group_normalised(r_repeat_if, repeat_mean, repeat_std)
                + coalesce(own_signal, 0)
        end as signal
    from parts
        left join groups using (run_id, step, group_id, rank)
        left join own_signals using (run_id, step, completion, rank)
)
select
    run_id, step, completion, rank, group_id, prompt_id, constrained, title, year, imdb_id, matched_title, matched_year,
    match_method, match_score, max_risk, status, status_if, is_safe, safe_if,
    columns('^r_'), own, reward_gap, length_control, length_control_if,
    advantage,
    case when slot then
        coalesce(case advantage_mode when 'gdpo' then signal / signal_std else signal end, 0) + length_control_if
    end as advantage_if
from (
    select *, case when advantage_mode = 'gdpo' then stddev_samp(signal) over (partition by run_id, step) + 1e-4 end as signal_std
    from signals
);

-- That nothing would be learnt at a rank of a group is told without its advantages, which would take three times as long: the weighted
-- sum of rewards is the same for all answers. In gdpo, where each reward is divided by its own deviation first, those that vary must
-- also deviate as much, for they cancel out only then. A hit (+1) that violates (-1) teaches nothing if both weigh as much. If safety
-- takes 2 with half the weight, the sum is 0 as well, but 1 / 1 - 0.5 * 2 / 2 is not. What this misses: rewards of several deviations,
-- of which those of each deviation cancel out among themselves. There a signal is told, though `what_if` has advantages of 0.
create or replace macro varies(reward) as coalesce(is_above(max(reward), min(reward)), false);
-- The deviation of a reward over the answers that are not left out (their total is null); null: it does not vary, or weighs nothing.
create or replace macro spread_of(weight, reward, total) as case
    when any_value(weight) <> 0 and varies(case when total is not null then reward end)
        then round(stddev_samp(case when total is not null then reward end), 9)
end;
-- The same of each of somebody's own, and 0 for one that does not vary.
create or replace macro own_spreads(own, total) as coalesce(list_transform(
    list_distinct(list_transform(flatten(list(own) filter (total is not null)), lambda e: case when e.weight <> 0 then e.name end)),
    lambda its_name: round(list_stddev_samp(list_transform(
        list_filter(flatten(list(own) filter (total is not null)), lambda e: e.name = its_name), lambda e: e.value
    )), 9)
), []);

-- grain: step of the run. The run's curves as they were and as they would have been (*_if).
--   svr               unsafe / emitted films in the top K, completions with constraints
--   punished          share of the films emitted in the top K that earn a penalty, weights included
--   mean_total_reward Σ over ranks of r_total, mean over completions
--   no_signal_rate    share of groups and ranks (1..K, as in step_curves) whose advantages are all 0; null: of an evaluation. The one of
--                     *_if may be too low in gdpo, where two or more pairs of rewards cancel out, each pair of another deviation: see above
create or replace macro what_if_summary(
    run, new_lambda := null, new_penalty := null, new_threshold := null, new_unresolved := null, new_unrated := null,
    new_weights := null
) as table
with cells as (
    select
        run_id, step, group_id, rank,
        any_value(constrained) as constrained, any_value(ranked) as ranked,
        count(*) as lists,
        count(title) as films,
        count(*) filter (not is_safe) as unsafe,
        count(*) filter (not safe_if) as unsafe_if,
        count(*) filter (own_w_safe * r_safe < 0) as punished,
        count(*) filter (w_safe * r_safe_if < 0) as punished_if,
        sum(r_total) as total,
        sum(r_total_if) as total_if,
        nothing_is_learnt(advantage) as no_signal,
        case when bool_or(slot) then
            not varies(r_total_if) and max(abs(length_control_if)) = 0 and (any_value(advantage_mode) = 'grpo' or len(list_distinct([
                spread_of(w_rel, r_rel_if, r_total_if), spread_of(w_safe, r_safe_if, r_total_if), spread_of(w_count, r_count_if, r_total_if),
                spread_of(w_end, r_end_if, r_total_if), spread_of(w_repeat, r_repeat_if, r_total_if)
            ] || list_filter(own_spreads(own, r_total_if), lambda spread: spread > 0))) <= 1)
        end as no_signal_if
    from rewards_if(run, null, new_lambda, new_penalty, new_threshold, new_unresolved, new_unrated, new_weights)
    group by run_id, step, group_id, rank
)
select
    run_id,
    step,
    sum(unsafe) filter (ranked and constrained) / nullif(sum(films) filter (ranked and constrained), 0) as svr,
    sum(unsafe_if) filter (ranked and constrained) / nullif(sum(films) filter (ranked and constrained), 0) as svr_if,
    sum(punished) filter (ranked) / nullif(sum(films) filter (ranked), 0) as punished,
    sum(punished_if) filter (ranked) / nullif(sum(films) filter (ranked), 0) as punished_if,
    sum(total) / sum(lists) filter (rank = 1) as mean_total_reward,
    sum(total_if) / sum(lists) filter (rank = 1) as mean_total_reward_if,
    count(*) filter (ranked and no_signal) / nullif(count(no_signal) filter (ranked), 0) as no_signal_rate,
    count(*) filter (ranked and no_signal_if) / nullif(count(no_signal_if) filter (ranked), 0) as no_signal_rate_if
from cells
group by run_id, step
order by step;
