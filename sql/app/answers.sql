-- grain: one answer to the prompt $group of the step $step of the run $run. Built on rollouts and verdicts.
--   films, violations (known ones), unrated, unresolved, hits   in the top K; reward: Σ r_total over its ranks
select
    completion, generation,
    any_value(o.text) as text,
    any_value(o.n_tokens) as n_tokens,
    any_value(o.ended) as ended,
    count(v.title) filter (rank <= rec_num) as films,
    count(*) filter (rank <= rec_num and status = 'unsafe') as violations,
    count(*) filter (rank <= rec_num and status = 'unrated') as unrated,
    count(*) filter (rank <= rec_num and hit) as hits,
    count(*) filter (rank <= rec_num and status = 'unresolved') as unresolved,
    sum(r_total) as reward
from rollouts o join verdicts v using (run_id, step, completion) join run_shape using (run_id)
where run_id = $run and step = $step and o.group_id = $group and v.group_id = $group
group by completion, generation
order by completion;
