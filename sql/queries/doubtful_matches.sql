-- Which titles were matched with doubt, and does a verdict hang on it?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 100 with the most violations, of titles as they were written.
select title, year, matched_title, matched_year, match_method, match_score, times, violations
from doubtful_titles
where run_id = chosen_run()
order by violations desc, times desc, title, year, matched_title, matched_year
limit 100;
