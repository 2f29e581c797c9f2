-- Which titles could not be found, how often, and is it getting more?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 100 most frequent ones. times: beyond rank K too. trend: occurrences in the second half of the run's steps less those in the
-- first; the middle one of an odd number is in neither, and below two steps there is none.
select title, year, times, lists, first_step, last_step, early, late, trend
from unresolved_titles
where run_id = chosen_run()
order by times desc, title, year
limit 100;
