-- grain: one rank of an answer to the prompt $group of the step $step of the run $run. Built on why, verdicts and runs.
--   r_rel … r_repeat   weighted, so that they add up to r_total
--   start, end         characters of the entry in the text; most: the largest |advantage| of the prompt's answers
select
    w.* exclude (run_id, step) replace (
        w_rel * r_rel as r_rel, w_safe * r_safe as r_safe, w_count * r_count as r_count, w_end * r_end as r_end,
        w_repeat * r_repeat as r_repeat
    ),
    v.start, v."end", v.n_tokens,
    max(abs(w.advantage)) over () as most
from why($run, $step, completion, rank) w
join (
    select completion, rank, start, "end", n_tokens from verdicts where run_id = $run and step = $step and group_id = $group
) v using (completion, rank)
join runs using (run_id)
order by completion, rank;
