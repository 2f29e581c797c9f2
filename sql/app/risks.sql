-- grain: film x trait with a risk, as the store has it now; films whose title has $search, and $trait if it isn't null.
-- At most 300, the riskiest first. Built on trait_risk and titles.
select
    r.imdb_id, t.title, t.year, r.trait, r.risk, r.source, coalesce(r.hit_tags, []) as hit_tags,
    list_transform(
        list_filter(map_entries(coalesce(r.severities, map {})), lambda s: s.value > 0),
        lambda s: s.key || ': ' || ['None', 'Mild', 'Moderate', 'Severe'][s.value + 1]
    ) as severities
from trait_risk r
join titles t on t.imdb_id = r.imdb_id and t.is_primary
where r.risk > 0
  and ($search = '' or contains(lower(strip_accents(t.title)), lower(strip_accents($search))))
  and ($trait is null or r.trait = $trait)
order by r.risk desc, t.title, t.year, r.trait
limit 300;
