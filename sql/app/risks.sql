-- grain: film x trait with a risk, as the store has it now; films of which any title has $search, and $trait
-- if it isn't null. At most 300, the riskiest first. Built on trait_risk, film_names and titles.
select
    r.imdb_id, f.title, f.year, r.trait, r.risk, r.source, coalesce(r.hit_tags, []) as hit_tags,
    list_transform(
        list_filter(map_entries(coalesce(r.severities, map {})), lambda s: s.value > 0),
        lambda s: s.key || ': ' || ['None', 'Mild', 'Moderate', 'Severe'][s.value + 1]
    ) as severities
from trait_risk r
join film_names f using (imdb_id)
where r.risk > 0
  and r.imdb_id in (select imdb_id from titles where $search = '' or contains(lower(strip_accents(title)), lower(strip_accents($search))))
  and ($trait is null or r.trait = $trait)
order by r.risk desc, f.title, f.year, r.trait, r.imdb_id
limit 300;
