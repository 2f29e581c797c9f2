-- grain: one rank of an answer to the prompt $group of the step $step of the run $run. Built on why and verdicts.
--   start, end   characters of the entry in the text; run_k, run_threshold: of the run; most: the largest |advantage| of the prompt's answers
select
    w.* exclude (run_id, step),
    v.start, v."end", v.n_tokens, v.run_k, v.run_threshold,
    max(abs(w.advantage)) over () as most
from (
    select completion, rank, start, "end", n_tokens, run_k, run_threshold from verdicts where run_id = $run and step = $step and group_id = $group
) v, why($run, $step, v.completion, v.rank) w
order by w.completion, w.rank;
