-- Which titles could not be found, how often, and is it getting more?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- times: beyond rank K too. trend: occurrences in the run's second half less those in its first.
select title, year, times, lists, first_step, last_step, early, late, trend
from unresolved_titles
where run_id = chosen_run()
order by times desc, title, year
limit 100;
