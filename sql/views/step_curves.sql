-- grain: run x step. What training looks like over its steps. Built on rank_sums.
--   lists, constrained_lists   completions of the step; those whose prompt has constraints
--   svr               safety violation rate: unsafe / emitted films in the top K, over completions with constraints
--   svr_low, svr_high, svr_known   its bounds (all unknown films safe; all violations), and over the films that could be judged
--   unresolved_rate, ambiguous_rate   not found; fitting several films: / emitted in the top K, over all completions
--   unrated_rate      found, but not rated for some constraint: / emitted in the top K, over completions with constraints
--   recall, safe_recall, ndcg   at K, mean over completions with (safe) ground truth
--   films_per_list    entries emitted, beyond rank K too; count_k: those in the top K
--   overlong_rate     share of lists that go beyond rank K
--   duplicate_rate, hit_rate, catalog_match   share of the films emitted in the top K
--   mean_total_reward   Σ over the ranks of r_total, mean over completions
--   advantage_spread    standard deviation of the advantages in a group at a rank, mean over groups and ranks
--   no_signal_rate      share of groups and ranks whose advantages are all 0: nothing is learnt there
--   tokens_per_list     tokens of the ranks (n_tokens of verdicts: what stands before the list, between its entries or behind rank K is of
--                       none, but for the end of a list where that is rewarded), mean over completions; null: they are not known.
--                       Of a rejudged run, those that are known
create or replace view step_curves as
select
    run_id,
    step,
    (sum(lists) filter (rank = 1))::bigint as lists,
    coalesce(sum(lists) filter (rank = 1 and constrained), 0)::bigint as constrained_lists,
    sum(violations) filter (constrained and rank <= rec_num) / nullif(sum(films) filter (constrained and rank <= rec_num), 0) as svr,
    svr_low(sum(films) filter (constrained and rank <= rec_num), sum(unsafe) filter (constrained and rank <= rec_num)) as svr_low,
    svr_high(
        sum(films) filter (constrained and rank <= rec_num), sum(unsafe) filter (constrained and rank <= rec_num),
        sum(unresolved) filter (constrained and rank <= rec_num), sum(unrated) filter (constrained and rank <= rec_num)
    ) as svr_high,
    svr_known(
        sum(films) filter (constrained and rank <= rec_num), sum(unsafe) filter (constrained and rank <= rec_num),
        sum(unresolved) filter (constrained and rank <= rec_num), sum(unrated) filter (constrained and rank <= rec_num)
    ) as svr_known,
    sum(unresolved) filter (rank <= rec_num) / nullif(sum(films) filter (rank <= rec_num), 0) as unresolved_rate,
    sum(unrated) filter (constrained and rank <= rec_num) / nullif(sum(films) filter (constrained and rank <= rec_num), 0) as unrated_rate,
    sum(ambiguous) filter (rank <= rec_num) / nullif(sum(films) filter (rank <= rec_num), 0) as ambiguous_rate,
    sum(recall) filter (rank <= rec_num) / nullif(sum(recall_lists) filter (rank = 1), 0) as recall,
    sum(safe_recall) filter (rank <= rec_num) / nullif(sum(safe_recall_lists) filter (rank = 1), 0) as safe_recall,
    sum(ndcg_k) / nullif(sum(recall_lists) filter (rank = 1), 0) as ndcg,
    sum(films) / sum(lists) filter (rank = 1) as films_per_list,
    coalesce(sum(films) filter (rank <= rec_num), 0) / sum(lists) filter (rank = 1) as count_k,
    coalesce(sum(films) filter (rank = rec_num + 1), 0) / sum(lists) filter (rank = 1) as overlong_rate,
    sum(repeated) filter (rank <= rec_num) / nullif(sum(films) filter (rank <= rec_num), 0) as duplicate_rate,
    sum(hits) filter (rank <= rec_num) / nullif(sum(films) filter (rank <= rec_num), 0) as hit_rate,
    sum(in_catalog) filter (rank <= rec_num) / nullif(sum(films) filter (rank <= rec_num), 0) as catalog_match,
    sum(r_total) / sum(lists) filter (rank = 1) as mean_total_reward,
    sum(spread) filter (rank <= rec_num) / nullif(sum(cells) filter (rank <= rec_num), 0) as advantage_spread,
    sum(cells_without_signal) filter (rank <= rec_num) / nullif(sum(cells) filter (rank <= rec_num), 0) as no_signal_rate,
    sum(tokens) / sum(lists) filter (rank = 1) as tokens_per_list
from rank_sums join run_shape using (run_id)
group by run_id, step;
