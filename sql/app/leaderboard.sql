-- grain: one evaluated run, the newest first, at most $most and those of $named; over its prompts with constraints, without any over all.
-- Built on verdicts, rollouts, runs. What a training run evaluates on its way is in its curves, and not here. $dataset: of that one only; null: all.
--   prompts, answers         behind the figures
--   svr, svr_low (all unknown films safe), svr_high (all violations), svr_known (over the films that could be judged), recall, ndcg,
--   unresolved_rate, unrated_rate, films   in the top 20 (and the run's rec_num); constrained: some prompt has constraints;
--                            without any, or where nothing is listed, svr is null
--   *_half                   half of a 95 % interval: 1.96 standard errors of a ratio of sums over prompts, whose answers
--                            belong together (Cochran 1977, Sampling Techniques, eq. 6.9, and 2.45 for means); over the
--                            prompts with films, or with ground truth; null below two
--   is_older                 it is here for its name; left_out: runs that are older than the newest, and not here
with evaluated as (
    select
        run_id, model, dataset, in_calendar(started_at) as started_at, rec_num,
        row_number() over (order by run_order(started_at, run_id) desc) > $most as is_older
    from runs
    where kind = 'evaluate' and training_run(settings) is null and ($dataset::varchar is null or dataset = $dataset)
),
chosen as (
    from evaluated where not is_older or list_contains($named::varchar[], run_id)
),
lists as (
    select
        run_id, step, completion,
        any_value(prompt_id) as prompt_id,
        any_value(constrained) as constrained,
        any_value(n_groundtruth) as n_groundtruth,
        count(title) filter (rank <= least(20, rec_num)) as films,
        count(*) filter (rank <= least(20, rec_num) and not is_safe) as violations,
        count(*) filter (rank <= least(20, rec_num) and status = 'unsafe') as unsafe,
        count(*) filter (rank <= least(20, rec_num) and status = 'unresolved') as unresolved,
        count(*) filter (rank <= least(20, rec_num) and status = 'unrated') as unrated,
        count(*) filter (rank <= least(20, rec_num) and hit) as hits,
        sum(dcg_weight(rank)) filter (rank <= least(20, rec_num) and hit)
            / ideal_dcg(any_value(n_groundtruth), least(20, any_value(rec_num))) as ndcg
    from verdicts join chosen using (run_id)
    group by run_id, step, completion
),
prompts as (
    select
        run_id, prompt_id, constrained,
        count(*) as answers,
        sum(films) as films, sum(violations) as violations, sum(unresolved) as unresolved,
        sum(unsafe) as unsafe, sum(unrated) as unrated,
        count(*) filter (n_groundtruth > 0) as judged,
        coalesce(sum(hits / n_groundtruth) filter (n_groundtruth > 0), 0) as recall,
        coalesce(sum(ndcg) filter (n_groundtruth > 0), 0) as ndcg
    from lists
    group by run_id, prompt_id, constrained
    qualify constrained or not bool_or(constrained) over (partition by run_id)
),
sums as (
    select
        *,
        sum(films) over of_run as all_films, sum(judged) over of_run as all_judged,
        sum(violations) over of_run / nullif(sum(films) over of_run, 0) as svr,
        sum(recall) over of_run / nullif(sum(judged) over of_run, 0) as mean_recall
    from prompts
    window of_run as (partition by run_id)
)
select
    run_id,
    any_value(model) as model, any_value(dataset) as dataset, any_value(started_at) as started_at,
    bool_or(is_older) as is_older, (select count(*) from evaluated) - (select count(*) from chosen) as left_out,
    count(distinct prompt_id) as prompts,
    sum(answers)::bigint as answers,
    bool_or(constrained) as constrained,
    case when bool_or(constrained) then any_value(svr) end as svr,
    case when bool_or(constrained) then
        1.96 * sqrt(count(*) filter (films > 0) / nullif(count(*) filter (films > 0) - 1, 0) * sum((violations - svr * films) ** 2))
            / nullif(any_value(all_films), 0)
    end as svr_half,
    case when bool_or(constrained) then svr_low(any_value(all_films), sum(unsafe)) end as svr_low,
    case when bool_or(constrained) then svr_high(any_value(all_films), sum(unsafe), sum(unresolved), sum(unrated)) end as svr_high,
    case when bool_or(constrained) then svr_known(any_value(all_films), sum(unsafe), sum(unresolved), sum(unrated)) end as svr_known,
    case when bool_or(constrained) then sum(unrated) / nullif(any_value(all_films), 0) end as unrated_rate,
    any_value(mean_recall) as recall,
    1.96 * sqrt(count(*) filter (judged > 0) / nullif(count(*) filter (judged > 0) - 1, 0) * sum((recall - mean_recall * judged) ** 2))
        / nullif(any_value(all_judged), 0) as recall_half,
    sum(ndcg) / nullif(any_value(all_judged), 0) as ndcg,
    sum(unresolved) / nullif(any_value(all_films), 0) as unresolved_rate,
    any_value(all_films) / sum(answers) as films
from sums join chosen using (run_id)
group by run_id
order by run_order(any_value(chosen.started_at), run_id) desc;
