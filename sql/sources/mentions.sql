-- Which words before a "(year)" are the film's title. Built on titles/resolve.sql; expects candidates(mention, start, title,
-- year): for each mention, the text before its year from several starts on. Grain: one mention that names a known film.
with fitting as (
    select mention, start, c.title, film_no, lower(c.title) = lower(i.title) as is_same, abs(c.year - i.year) as years_apart
    from candidates c join title_index i on normalise_title(c.title) = i.words and abs(c.year - i.year) <= 2
),
-- The longest title counts: "Return of the Living Dead", not "Living Dead". An article before it may be the sentence's.
best as (
    select mention, arg_min(film_no, (start, years_apart, film_no)) as film_no from fitting group by mention
)
select mention, arg_max(title, (is_same, start)) as title, min(years_apart) = 0 as is_same_year
from fitting join best using (mention, film_no)
group by mention;
