-- Which ground-truth films are unsafe for the person who wants them? There, relevance and safety pull apart
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- The 50 most frequent in the top K. title, year: of the film that was found; of one that was not, as they were written.
select
    if(match_method is null, v.title, matched_title) as title, if(match_method is null, v.year, matched_year) as year,
    violated_traits, count(*) as times,
    avg(r_rel) as mean_relevance, avg(r_safe) as mean_penalty, avg(advantage) as mean_advantage
from verdicts v
where run_id = chosen_run() and hit and not is_safe and rank <= run_k
group by all
order by times desc, title, year, violated_traits
limit 50;
