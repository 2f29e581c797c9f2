-- grain: run x film that counted as a violation in the top K. Which films cause the penalties. Built on verdicts.
-- A film counts where is_safe is false: it is known to violate, or the run's policies take what is unknown for a violation. One
-- that was not found has no imdb_id, and its title and year as written; one that was found has one row, whatever titles it was found by.
-- penalties_of_films(trait): the same over the verdicts that are known to violate this trait, with the film's risk for it; null: all.
--   violations   times it counted; penalty: Σ r_safe, reward units, before weights (0 where λ · P is 0)
--   steps        steps in which that happened; first_step, last_step; mean_rank
--   traits       traits that it is known to violate then, [] for an unknown film; max_risk: the highest known risk of it
create or replace macro penalties_of_films(chosen_trait) as table
with asked as (select chosen_trait::varchar as asked_trait) -- see log/tables.sql
select
    run_id,
    imdb_id,
    usual_title(matched_title, matched_year, title, year).title as title,
    usual_title(matched_title, matched_year, title, year).year as year,
    count(*) as violations,
    sum(r_safe) as penalty,
    count(distinct step) as steps,
    min(step) as first_step,
    max(step) as last_step,
    avg(rank) as mean_rank,
    list_sort(list_distinct(flatten(list(distinct violated_traits)))) as traits,
    max(if(asked_trait is null, max_risk, list_filter(evidence, lambda e: e.trait = asked_trait)[1].risk)) as max_risk
from main.verdicts, asked
where not is_safe and rank <= run_k and (asked_trait is null or list_contains(violated_traits, asked_trait))
group by run_id, imdb_id, film_of(imdb_id, title, year);

create or replace view film_penalties as from penalties_of_films(null);
