-- grain: one answer to the prompt $group of the step $step of the run $run. Built on rollouts and verdicts.
--   films, violations (known ones), unrated, unresolved, hits   in the top K; reward: Σ r_total over its ranks
-- Counted before the text is joined, which would stand once a rank in memory.
with counts as (
    select
        completion,
        count(title) filter (rank <= rec_num) as films,
        count(*) filter (rank <= rec_num and status = 'unsafe') as violations,
        count(*) filter (rank <= rec_num and status = 'unrated') as unrated,
        count(*) filter (rank <= rec_num and hit) as hits,
        count(*) filter (rank <= rec_num and status = 'unresolved') as unresolved,
        sum(r_total) as reward
    from verdicts join run_shape using (run_id)
    where run_id = $run and step = $step and group_id = $group
    group by completion
)
select completion, generation, text, n_tokens, ended, counts.* exclude (completion)
from rollouts join counts using (completion)
where run_id = $run and step = $step and group_id = $group
order by completion;
