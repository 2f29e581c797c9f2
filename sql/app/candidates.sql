-- grain: film that $title and $year could mean, the nearest first, at most five. Built on could_be.
--   closeness 0..1; why: why it was found, or was not; may_be: its year lets a person say that it is meant
select imdb_id, near_title as title, near_year as year, closeness, why, coalesce(years_apart <= year_limits().let_pass, true) as may_be
from could_be($title, $year)
order by place;
