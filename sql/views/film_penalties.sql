-- grain: run x film that violated some constraint in the top K. Which films cause the penalties. Built on verdicts.
--   violations   times it was recommended to someone who wants it avoided; penalty: Σ r_safe, reward units
--   steps        steps in which that happened; first_step, last_step; mean_rank
--   traits       traits that it violated; max_risk: the highest risk of it
create or replace view film_penalties as
select
    run_id,
    imdb_id,
    any_value(matched_title) as title,
    any_value(matched_year) as year,
    count(*) as violations,
    sum(r_safe) as penalty,
    count(distinct step) as steps,
    min(step) as first_step,
    max(step) as last_step,
    avg(rank) as mean_rank,
    list_sort(list_distinct(flatten(list(distinct violated_traits)))) as traits,
    max(max_risk) as max_risk
from verdicts
where len(violated_traits) > 0 and rank <= run_k
group by run_id, imdb_id;
