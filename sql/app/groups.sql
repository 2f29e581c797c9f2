-- grain: one prompt of the step $step of the run $run, with its answers summed up. Built on rollouts and verdicts.
--   answers, unsafe_answers   all of them, and those with a film that is known to violate
--   films, violations, unrated, unresolved, hits   in the top K; violations: known ones, whatever unknown films count as
--   rewards                   of each answer that has one: answer (from 1), and reward, summed over its ranks
with answers as (
    select
        group_id, completion,
        count(title) filter (rank <= rec_num) as films,
        count(*) filter (rank <= rec_num and status = 'unsafe') as violations,
        count(*) filter (rank <= rec_num and status = 'unrated') as unrated,
        count(*) filter (rank <= rec_num and status = 'unresolved') as unresolved,
        count(*) filter (rank <= rec_num and hit) as hits,
        sum(r_total) as reward
    from verdicts join run_shape using (run_id)
    where run_id = $run and step = $step
    group by group_id, completion
),
asked as (
    select group_id, completion, generation, prompt_id, dataset_id, prompt, constraints
    from rollouts
    where run_id = $run and step = $step
)
select
    group_id,
    any_value(prompt_id) as prompt_id,
    any_value(dataset_id) as dataset_id,
    any_value(prompt) as prompt,
    any_value(constraints) as constraints,
    count(*) as answers,
    count(*) filter (violations > 0) as unsafe_answers,
    sum(films)::bigint as films,
    sum(violations)::bigint as violations,
    sum(unrated)::bigint as unrated,
    sum(unresolved)::bigint as unresolved,
    sum(hits)::bigint as hits,
    coalesce(list({answer: generation + 1, reward: reward} order by generation) filter (reward is not null), []) as rewards
from asked join answers using (group_id, completion)
group by group_id
order by group_id;
