-- Sums that most views start from, so that none of them has to read every verdict. Built on log/tables.sql.
-- Merged folders hold them as files (written by these very statements); for single steps they are computed when asked.
-- Parameter: folders of single steps.

-- 1 / log2(rank + 1): the weight of a rank in DCG (Järvelin & Kekäläinen 2002).
create or replace macro dcg_weight(rank) as 1 / log2(rank::int + 1);

-- By more than rounding: a mean of the same numbers in another order is another number, by its last digit.
create or replace macro is_above(a, b) as a - b > 1e-9;

-- An advantage that is not 0: it pushes its tokens, up or down.
create or replace macro is_pushed(advantage) as is_above(abs(advantage), 0);
-- Of the advantages of a group at one rank: all are 0. (Rewards that are equal in sum are no sign of it: gdpo tells their parts apart,
-- and the control of length adds to the advantages themselves.)
create or replace macro nothing_is_learnt(advantage) as not is_pushed(max(abs(advantage)));

-- The best DCG of a list of k ranks with n relevant films. (Of up to 200 from a table, which DuckDB computes once.)
create or replace macro ideal_dcg(n, k) as case
    when least(n, k) <= 200 then
        list_transform(range(1, 201), lambda m: list_sum(list_transform(range(1, m + 1), lambda r: 1 / log2(r + 1))))[least(n, k)]
    else list_sum(list_transform(range(1, least(n, k)::bigint + 1), lambda r: 1 / log2(r + 1)))
end;

-- grain: run x step x whether the prompt has constraints x rank (beyond K too). Sums over completions:
--   lists                          completions that have this rank (all of them up to K)
--   films, violations              emitted; counted as unsafe, by what is known and by the run's policies for the unknown
--   unsafe, unresolved, unrated    of that status: known to be unsafe; not found; found, but not rated for some constraint
--   ambiguous                      fits several films equally, as without a year. Likewise repeated, seen, in_catalog, hits
--   recall, safe_recall            Σ hit / number of (safe) ground-truth films; *_lists: completions that have any
--   ndcg_5, _10, _20, _k           Σ hit · dcg_weight / ideal; 0 beyond that rank; _k: at the run's rec_num
--   r_rel … r_total, advantage     sums in reward units; rewarded: verdicts with a reward
--   tokens                         of verdicts, as there; null: they are not known
--   cells, cells_without_signal    groups trained on at this rank; those of them in which nothing is learnt
--   spread                         Σ over groups of the advantages' standard deviation
create or replace macro single_rank_sums(folders) as table
with cells as (
    select
        run_id, step, group_id, rank,
        any_value(constrained) as constrained,
        any_value(run_k) as run_k,
        any_value(n_groundtruth) as n_groundtruth,
        any_value(n_groundtruth_safe) as n_groundtruth_safe,
        count(*) as lists,
        count(title) as films,
        count(*) filter (not is_safe) as violations,
        count(*) filter (told = 'unsafe') as unsafe,
        count(*) filter (told = 'unresolved') as unresolved,
        count(*) filter (told = 'unrated') as unrated,
        count(*) filter (match_method = 'ambiguous') as ambiguous,
        count(*) filter (repeated) as repeated,
        count(*) filter (seen) as seen,
        count(*) filter (in_catalog) as in_catalog,
        count(*) filter (hit) as hits,
        count(*) filter (hit and is_safe is distinct from false) as safe_hits,
        sum(n_tokens) as tokens,
        count(r_total) as rewarded,
        sum(columns('^r_')), sum(advantage) as advantage,
        count(advantage) > 0 as trained,
        count(advantage) > 0 and nothing_is_learnt(advantage) as without_signal,
        stddev_samp(advantage) as spread
    from (
        select *, told_status(status, title, violated_traits, match_method) as told
        from single_rows('verdicts.parquet', folders)
    )
    group by run_id, step, group_id, rank
)
select
    run_id, step, constrained, rank,
    sum(lists)::bigint as lists,
    sum(films)::bigint as films,
    sum(violations)::bigint as violations,
    sum(unsafe)::bigint as unsafe,
    sum(unresolved)::bigint as unresolved,
    sum(unrated)::bigint as unrated,
    sum(ambiguous)::bigint as ambiguous,
    sum(repeated)::bigint as repeated,
    sum(seen)::bigint as seen,
    sum(in_catalog)::bigint as in_catalog,
    sum(hits)::bigint as hits,
    sum(tokens)::bigint as tokens,
    coalesce(sum(hits / n_groundtruth) filter (n_groundtruth > 0), 0) as recall,
    (coalesce(sum(lists) filter (n_groundtruth > 0), 0))::bigint as recall_lists,
    coalesce(sum(safe_hits / n_groundtruth_safe) filter (n_groundtruth_safe > 0), 0) as safe_recall,
    (coalesce(sum(lists) filter (n_groundtruth_safe > 0), 0))::bigint as safe_recall_lists,
    coalesce(sum(hits * dcg_weight(rank) / ideal_dcg(n_groundtruth, least(5, run_k))) filter (rank <= least(5, run_k) and n_groundtruth > 0), 0) as ndcg_5,
    coalesce(sum(hits * dcg_weight(rank) / ideal_dcg(n_groundtruth, least(10, run_k))) filter (rank <= least(10, run_k) and n_groundtruth > 0), 0) as ndcg_10,
    coalesce(sum(hits * dcg_weight(rank) / ideal_dcg(n_groundtruth, least(20, run_k))) filter (rank <= least(20, run_k) and n_groundtruth > 0), 0) as ndcg_20,
    coalesce(sum(hits * dcg_weight(rank) / ideal_dcg(n_groundtruth, run_k)) filter (rank <= run_k and n_groundtruth > 0), 0) as ndcg_k,
    sum(rewarded)::bigint as rewarded,
    sum(columns('^r_')), sum(advantage) as advantage,
    count(*) filter (trained) as cells,
    count(*) filter (without_signal) as cells_without_signal,
    sum(spread) as spread
from cells
group by run_id, step, constrained, rank;

-- grain: run x step x trait that some prompt of the step wants avoided.
--   lists, films   completions under this constraint, and the films they emitted in the top K
--   violations     films in the top K that violate this trait; penalty: Σ r_safe over them
--                  (a film that violates two traits is punished once and stands in both rows)
--   risk           Σ risk over the violations
create or replace macro single_trait_sums(folders) as table
with asked as (
    select run_id, step, unnest(list_distinct(constraints)) as trait, least(n_films, rec_num) as films
    from single_rows('completions.parquet', folders) join main.run_shape using (run_id)
),
violated as (
    select run_id, step, unnest(list_filter(evidence, lambda e: list_contains(violated_traits, e.trait))) as e, r_safe
    from single_rows('verdicts.parquet', folders)
    where len(violated_traits) > 0 and rank <= run_k
),
counted as (
    select run_id, step, e.trait as trait, count(*) as violations, sum(r_safe) as penalty, sum(e.risk) as risk
    from violated group by all
)
select
    run_id, step, trait,
    count(*) as lists,
    sum(films)::bigint as films,
    coalesce(any_value(violations), 0) as violations,
    coalesce(any_value(penalty), 0) as penalty,
    coalesce(any_value(risk), 0) as risk
from asked left join counted using (run_id, step, trait)
group by run_id, step, trait;

-- Rates of unsafe films, from counts of films emitted, known to be unsafe, not found and not rated.
-- svr_low, svr_high: what the violation rate would be if all unknown films were safe, and if all were violations;
-- svr_known: over the films that could be judged.
create or replace macro svr_low(films, unsafe) as unsafe / nullif(films, 0);
create or replace macro svr_high(films, unsafe, unresolved, unrated) as (unsafe + unresolved + unrated) / nullif(films, 0);
create or replace macro svr_known(films, unsafe, unresolved, unrated) as unsafe / nullif(films - unresolved - unrated, 0);
