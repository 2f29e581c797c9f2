-- Grain: one film that risk data exist for; safe, violated: the traits whose risk is known to be below $threshold, or not.
-- Built on risk/risk.sql.
select imdb_id, coalesce(list(trait order by trait) filter (risk < $threshold), []) as safe,
       coalesce(list(trait order by trait) filter (risk >= $threshold), []) as violated
from trait_risk
group by imdb_id;
