-- grain: one verdict at rank $rank in the steps $first to $last of the run $run; the most punished ones, at most 200.
-- Built on verdicts.
select
    step, group_id as prompt, completion, title, year, violated_traits, match_method is null and title is not null as unresolved,
    hit, r_safe, r_rel, r_total, advantage
from verdicts
where run_id = $run and step between $first and $last and rank = $rank
order by r_total nulls last, advantage, step desc, completion
limit 200;
