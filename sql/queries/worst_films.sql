-- Which films cause the penalties?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 50 films with the most violations; traits are those that they violated.
select title, year, imdb_id, violations, penalty, steps, first_step, last_step, mean_rank, traits, max_risk
from film_penalties
where run_id = chosen_run()
order by violations desc, imdb_id
limit 50;
