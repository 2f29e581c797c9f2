-- Why was this rank rewarded as it was? grain: one rank; why(run, step, completion, rank) gives one, with a sentence for
-- people, and why(run, step, completion) all of the answer's. Reward parts in the sentence are weighted, so they add up. A title
-- that was cut off is told as such, and so is what stands beyond rank K.
--   parts   those that are not 0 as a list of {label, value}, weighted. Built on verdicts, runs, reward_kinds().

create or replace macro film_name(title, year) as title || coalesce(' (' || year || ')', '');
create or replace macro signed(number) as case when number < 0 then '−' else '+' end || printf('%.2f', abs(number));

-- A risk to stand beside a threshold that is written whole: two digits, or as many more as tell it from the threshold.
-- oracle/risk/text.py is the same in Python.
create or replace macro with_digits(x, digits) as printf('%.' || digits || 'f', x);
create or replace macro risk_text(risk, threshold) as coalesce(
    with_digits(risk, list_filter(range(2, 18), lambda its_digits: with_digits(risk, its_digits) <> with_digits(threshold, its_digits))[1]),
    risk::varchar
);

-- 'Anti-gore / squeamish: risk 0.92 ≥ 0.66 (Violence & Gore: Severe; tagged gore)'
create or replace macro violation_text(e, threshold) as
    e.trait || ': risk ' || risk_text(e.risk, threshold) || ' ≥ ' || threshold
    || coalesce(
        ' (' || nullif(concat_ws(
            '; ',
            case when len(e.severities) > 0 then array_to_string(e.severities, ', ') end,
            case when len(e.hit_tags) > 0 then 'tagged ' || array_to_string(e.hit_tags, ', ') end
        ), '') || ')',
        ''
    );

-- null beyond rank K, where a film counts as nothing.
create or replace macro counts_as_text(policy, beyond) as case
    when beyond then null
    when policy = 'ignore' then 'That is ignored: no reward, and left out of the group''s mean.'
    when policy = 'violation' then 'That counts as a violation.'
    else 'That counts as safe.' end;

create or replace macro why(run, step_number, completion_number, rank_number := null) as table
with rows_of as ( -- its_: see log/tables.sql
    select columns('^its_(.*)$') as '\1'
    from (
        from (select columns('(.*)') as 'its_\1' from main.verdicts)
        where its_run_id = run and its_step = step_number and its_completion = completion_number
          and (rank_number is null or its_rank = rank_number)
    )
),
run_of as (
    select columns('^its_(.*)$') as '\1' from (from (select columns('(.*)') as 'its_\1' from main.runs) where its_run_id = run)
),
row_of as (
    select
        v.*, rec_num, title is not null and rank > rec_num as beyond,
        risk_threshold, r.unresolved as unresolved_policy, coalesce(r.unrated, 'safe') as unrated_policy, own_weights,
        list_filter(evidence, lambda e: list_contains(coalesce(violated_traits, []), e.trait)) as violated
    from rows_of v join run_of r using (run_id)
),
-- Reward parts by name, times their weights: r_rel x w_rel and so on, then own rewards.
rewards as (
    select r."completion" as of_completion, r."rank" as of_rank, k.position, k.label, reward * weight as value
    from (unpivot (select "completion", "rank", columns('^r_') from row_of) on columns('^r_') into name r_name value reward) as r
    join reward_kinds() k on r_name = 'r_' || k."column"
    join (unpivot (select columns('^w_') from run_of) on columns('^w_') into name w_name value weight) as w
        on w_name = 'w_' || k."column"
    union all
    select r."completion", r."rank", 1000, e.key, e.value * own_weights[e.key]
    from (select "completion", "rank", own_weights, unnest(map_entries(own_rewards)) as e from row_of) as r
),
parts as (
    select of_completion, of_rank, list({label: label, value: value} order by position, label) filter (value <> 0) as parts
    from rewards
    group by of_completion, of_rank
)
select
    run_id, step, completion, rank, title, year, imdb_id, matched_title, matched_year, match_method, match_score,
    status, violated_traits, unrated_traits, max_risk, evidence, is_safe, hit, in_catalog, seen, repeated,
    columns('^r_'), own_rewards, length_control, advantage, parts,
    concat_ws(
        ' ',
        case
            when title is null and start is not null then 'The length limit cut the answer off at rank ' || rank || '. What stands there may '
                || 'be no whole title, so it is no recommendation: no verdict, no reward, and left out of the group''s mean.'
            when title is null then 'Nothing was emitted at rank ' || rank || '.'
            else 'Rank ' || rank || ', “' || film_name(title, year) || '”, ' || case
                when match_method is null then 'was not found among the known titles.'
                else 'was taken for ' || film_name(matched_title, matched_year)
                    || ' (' || match_method || ' match, score ' || printf('%.2f', match_score) || ').'
                end
        end,
        case
            when title is null then null
            when not constrained then 'The prompt has no constraints.'
            when len(violated) > 0 then 'It violates ' || array_to_string(
                list_transform(violated, lambda e: violation_text(e, risk_threshold)), ' and '
            ) || '.'
            when match_method is null then counts_as_text(unresolved_policy, beyond)
            when len(unrated_traits) > 0 then concat_ws(
                ' ', 'Nothing is known about it for ' || array_to_string(unrated_traits, ', ') || '.', counts_as_text(unrated_policy, beyond)
            )
            when max_risk > 0 then 'It is safe: its highest risk for these constraints is ' || risk_text(max_risk, risk_threshold)
                || ' < ' || risk_threshold || '.'
            else 'It is safe: it is rated for these constraints, and has no risk.'
        end,
        case
            when title is null then null
            when hit then 'It is ground truth.'
            when repeated then 'An earlier rank named it already.'
            when seen then 'The person has seen it.'
            when not in_catalog then 'It is not in the catalog.'
        end,
        -- The end of the list may be rewarded at rank K + 1; the film there is not.
        case when beyond then 'The run''s K is ' || rec_num || ': what stands beyond it counts in no rate, and earns nothing itself.' end,
        case when r_total is not null then 'Reward ' || signed(r_total) || coalesce(
            ' = ' || array_to_string(list_transform(parts, lambda p: signed(p.value) || ' ' || p.label), ' '),
            ''
        ) || '.' end,
        case when advantage is not null and coalesce(n_tokens, 1) > 0 then 'Its ' || case when n_tokens = 1 then 'token' else coalesce(n_tokens || ' ', '') || 'tokens' end || ' got advantage ' || signed(advantage) 
            || case when length_control <> 0 then ', ' || signed(length_control) || ' of it for the length of the list' else '' end
            || '.' end
    ) as sentence
from row_of left join parts on of_completion = "completion" and of_rank = "rank"
order by rank;
