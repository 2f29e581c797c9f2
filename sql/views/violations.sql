-- grain: one violated trait of one film at one rank. Key: (run_id, step, completion, rank, trait). Built on verdicts.
-- In the top K, as all figures of violations; entries beyond rank K earn nothing, and are in verdicts.
-- A film that violates two traits has two rows, and is punished once: r_safe is that of the verdict, in both.
-- Unknown films that a run counts as violations (unresolved or unrated = 'violation') violate no named trait: no rows here.
--   risk 0..1, source 'tags' | 'guide' | 'both' | 'given'; hit_tags: content tags that triggered it;
--   severities: Parent Guide categories that count for the trait, such as 'Violence & Gore: Severe'
create or replace view violations as
select
    run_id, step, completion, rank, prompt_id,
    title, year, imdb_id, matched_title, matched_year, match_method, match_score,
    e.trait as trait, e.risk as risk, e.source as source, e.hit_tags as hit_tags, e.severities as severities,
    r_safe, r_total, advantage
from (
    select *, unnest(list_filter(evidence, lambda e: list_contains(violated_traits, e.trait))) as e
    from verdicts
    where len(violated_traits) > 0 and rank <= run_k
);
