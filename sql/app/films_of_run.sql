-- grain: film that violated some constraint of the run $run, the most often first; $trait null: any trait.
-- At most 200. Built on film_penalties.
select imdb_id, title, year, violations, penalty, mean_rank, traits, max_risk, first_step, last_step
from film_penalties
where run_id = $run and ($trait is null or list_contains(traits, $trait))
order by violations desc, penalty, title
limit 200;
