-- The film that people confirmed beside the store for $title and $year, if any: confirmed(place, title, year, imdb_id), of
-- several the one with the highest place. Columns as of nearest_titles.
select t.imdb_id, t.title as near_title, t.year as near_year, 1.0::double as closeness, abs(t.year::integer - $year::integer) as years_apart,
       true as is_match, 'match' as why
from confirmed c join title_index t using (imdb_id)
where title_key(c.title) = title_key($title) and c.year is not distinct from $year::smallint
  and (t.year is null or $year is null or abs(t.year::integer - $year::integer) <= 2)
qualify row_number() over (order by c.place desc, t.title_no) = 1;
