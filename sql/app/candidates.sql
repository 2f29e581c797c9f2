-- grain: film whose title is near $title, the nearest first, at most 6, and none that is far. Built on title_index.
--   similarity   Jaro-Winkler of the normalised titles, 0..1; a year apart costs 0.01, five at most
with wanted as (
    select title_key($title) as wanted_key
),
near as (
    select
        imdb_id, title, year,
        jaro_winkler_similarity(key, wanted_key)
            - 0.01 * coalesce(least(5, abs(year - $year::smallint)), if($year is null, 0, 2)) as similarity
    from title_index cross join wanted
    where abs(length(key) - length(wanted_key)) <= 6 or starts_with(key, wanted_key)
)
select imdb_id, arg_max(title, similarity) as title, arg_max(year, similarity) as year, max(similarity) as similarity
from near
where similarity >= 0.7
group by imdb_id
order by similarity desc, title, year
limit 6;
