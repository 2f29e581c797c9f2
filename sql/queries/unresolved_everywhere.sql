-- Which titles could not be found in any run?
-- The 100 most frequent ones over all runs, beyond rank K too: candidates for an alias.
select title, year, count(*) as times, count(distinct run_id) as runs
from verdicts
where title is not null and match_method is null
group by title, year
order by times desc, title, year
limit 100;
