-- grain: one verdict in the top K that could as well have been the other. Key: (run_id, step, completion, rank, reason).
-- Built on verdicts.
--   reason   'near threshold': the highest risk is at most 0.05 from the run's threshold (distance = risk - threshold);
--            'doubtful match': the film was found with doubt, and the prompt has constraints
create or replace view disagreement as
with close as (
    select
        v.*,
        max_risk - run_threshold as distance,
        not is_above(abs(max_risk - run_threshold), 0.05) as near_threshold,  -- 0.61 and 0.71 at 0.66, whatever their last digits
        is_doubtful(match_method, match_score) as doubtful
    from verdicts v
    where constrained and title is not null and rank <= run_k
)
select
    run_id, step, completion, rank, reason, title, year, imdb_id, matched_title, matched_year, match_method, match_score,
    max_risk, distance, is_safe, violated_traits, r_safe
from (
    select *, unnest(list_filter(
        [case when near_threshold then 'near threshold' end, case when doubtful then 'doubtful match' end],
        lambda r: r is not null
    )) as reason
    from close
    where near_threshold or doubtful
);
