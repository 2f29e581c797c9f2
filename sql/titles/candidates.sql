-- What the titles of the run log that were not found, or only with doubt, could mean. Built on titles/nearest.sql and views/titles.sql.
-- title_candidates: grain title and year as written x film that comes near, the nearest first (place 1):
--   title, year, times (occurrences, all runs), and the columns of nearest_titles
create or replace view title_candidates as
with wanted as materialized (
    select title, year, sum(times)::bigint as times
    from (select title, year, times from unresolved_titles union all select title, year, times from doubtful_titles)
    group by all
)
select times, n.*
from nearest_titles(wanted) n
join wanted w on n.title = w.title and n.year is not distinct from w.year
order by times desc, n.title, n.year, place;
