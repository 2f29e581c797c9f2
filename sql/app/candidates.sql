-- grain: film that $title and $year could mean, the nearest first, at most five. Built on could_be.
--   closeness 0..1; why: why it was found, or was not
select imdb_id, near_title as title, near_year as year, closeness, why
from could_be($title, $year)
order by place;
