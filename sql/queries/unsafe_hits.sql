-- Which ground-truth films are unsafe for the person who wants them? There, relevance and safety pull apart
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 50 most frequent in the top K, one row a film and the traits that it violates. title, year: of one that was not found, as written.
with hits as (
    select *, film_of(imdb_id, title, year) as film
    from verdicts
    where run_id = chosen_run() and hit and not is_safe and rank <= run_k
),
films as (
    select film, usual_title(matched_title, matched_year, title, year) as name from hits group by film
)
select
    name.title as title, name.year as year, violated_traits, count(*) as times,
    avg(r_rel) as mean_relevance, avg(r_safe) as mean_penalty, avg(advantage) as mean_advantage
from hits join films using (film)
group by film, name, violated_traits
order by times desc, name, violated_traits, film
limit 50;
