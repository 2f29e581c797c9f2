-- grain: film that violated the trait $trait in the run $run, the most often first; $trait null: any constraint.
-- At most 200. Built on penalties_of_films: all is over the verdicts that violate this trait.
select imdb_id, title, year, violations, penalty, mean_rank, traits, max_risk, first_step, last_step
from penalties_of_films($trait)
where run_id = $run
order by violations desc, penalty, title
limit 200;
