-- grain: run x step x trait that some prompt of the step wants avoided. Sum over steps for the whole run.
-- Built on trait_sums.
--   lists, films     completions under this constraint, and the films they emitted in the top K
--   violations       those films that violate this trait; violation_rate = violations / films
--   penalty          Σ r_safe over them, reward units, before weights (a film that violates two traits stands in both rows)
--   mean_risk        mean risk of the violations, 0..1
create or replace view trait_breakdown as
select
    run_id, step, trait, lists, films, violations,
    violations / nullif(films, 0) as violation_rate,
    penalty,
    risk / nullif(violations, 0) as mean_risk
from trait_sums;
