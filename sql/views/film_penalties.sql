-- grain: run x film that violated some constraint in the top K. Which films cause the penalties. Built on verdicts.
-- penalties_of_films(trait): the same over the verdicts that violate this trait alone, with the film's risk for it; null: any trait.
--   violations   times it was recommended to someone who wants it avoided; penalty: Σ r_safe, reward units
--   steps        steps in which that happened; first_step, last_step; mean_rank
--   traits       traits that it violated then; max_risk: the highest risk of it
create or replace macro penalties_of_films(chosen_trait) as table
with asked as (select chosen_trait::varchar as asked_trait) -- see log/tables.sql
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
    max(if(asked_trait is null, max_risk, list_filter(evidence, lambda e: e.trait = asked_trait)[1].risk)) as max_risk
from main.verdicts, asked
where len(violated_traits) > 0 and rank <= run_k and (asked_trait is null or list_contains(violated_traits, asked_trait))
group by run_id, imdb_id;

create or replace view film_penalties as from penalties_of_films(null);
