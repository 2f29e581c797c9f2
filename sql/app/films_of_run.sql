-- grain: film that counted as a violation in the run $run, the most often first; $trait: that is known to violate this trait.
-- At most 200. Built on penalties_of_films: with a trait, all is over the verdicts that violate it.
select imdb_id, title, year, violations, penalty, mean_rank, traits, max_risk, first_step, last_step
from penalties_of_films($trait)
where run_id = $run
order by violations desc, penalty, title, year, imdb_id
limit 200;
