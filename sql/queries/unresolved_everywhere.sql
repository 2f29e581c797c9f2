-- Which titles could not be found in any run?
-- The 100 most frequent ones over all runs: candidates for an alias.
select title, year, sum(times)::bigint as times, count(*) as runs, max(trend) as steepest_trend
from unresolved_titles
group by title, year
order by times desc, title
limit 100;
