-- Which kinds of content cause the penalties?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- In the top K, over the films that are known to violate the trait: an unknown film violates no named trait, whatever it counts as.
select
    trait, sum(lists)::bigint as lists, sum(films)::bigint as films, sum(violations)::bigint as violations,
    sum(violations) / nullif(sum(films), 0) as violation_rate, sum(penalty) as penalty
from trait_breakdown
where run_id = chosen_run()
group by trait
order by violations desc, trait;
