-- Which films cause the penalties?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 50 films with the most violations, known ones and what the run takes for one: a film that is unrated, or was not found (no imdb_id).
-- traits: those that they are known to violate.
select title, year, imdb_id, violations, penalty, steps, first_step, last_step, mean_rank, traits, max_risk
from film_penalties
where run_id = chosen_run()
order by violations desc, imdb_id, title, year
limit 50;
