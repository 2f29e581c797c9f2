-- grain: film that $title and $year could mean, the nearest first, at most five. Built on could_be.
--   closeness 0..1; why: why it was found, or was not; may_be: a person may say that it is meant, by the year of the film's first title
with near as materialized (from could_be($title, $year)),
first_titles as (
    select imdb_id, arg_min_null(year, title_no) as film_year from title_index semi join near using (imdb_id) group by imdb_id
)
select imdb_id, near_title as title, near_year as year, closeness, why,
       coalesce(abs(film_year - $year) <= year_limits().let_pass, true) as may_be
from near join first_titles using (imdb_id)
order by place;
