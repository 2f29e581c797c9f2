-- grain: one verdict at rank $rank in the steps $first to $last of the run $run; the most punished ones, at most 200.
-- Built on verdicts, runs.
--   safety, relevance, other   weighted parts of the reward, which add up to r_total; other: all the others, own ones too
select
    step, group_id as prompt, completion, title, year, violated_traits, status,
    hit, w_safe * r_safe as safety, w_rel * r_rel as relevance, r_total - safety - relevance as other, r_total, advantage
from verdicts join runs using (run_id)
where run_id = $run and step between $first and $last and rank = $rank
order by r_total nulls last, advantage, step desc, completion
limit 200;
