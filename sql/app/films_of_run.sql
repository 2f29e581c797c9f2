-- grain: film that counted as a violation in the run $run, the most often first; $trait: that is known to violate this trait.
-- At most 200. Built on penalties_of_films: with a trait, all is over the verdicts that violate it.
--   cost   what the violations took of the rewards in all: λ · P and the weight of safety
select imdb_id, title, year, violations, 0 - w_safe * penalty as cost, mean_rank, traits, max_risk, first_step, last_step
from penalties_of_films($trait) join runs using (run_id)
where run_id = $run
order by violations desc, cost desc, title, year, imdb_id
limit 200;
