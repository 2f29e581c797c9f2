-- Grain: one film that risk data exist for; violated: the traits whose risk is at least $threshold. Built on risk/risk.sql.
select imdb_id, coalesce(list(trait order by trait) filter (risk >= $threshold), []) as violated
from trait_risk
group by imdb_id;
