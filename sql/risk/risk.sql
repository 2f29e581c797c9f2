-- Risk of a film for a trait, derived from tags, severities and ready-made risks. Built on store/schema.sql
-- and risk/tags.sql.
-- trait_risk: grain film x trait of which something is known; key (imdb_id, trait). No row: nothing is known, which is not
-- the same as no risk. Known is what a risk was given for, what has a severity in a category that the trait weighs, and
-- what a source of tags was asked about (a film with any tag, or with "no" votes), if tags can trigger the trait.
--   risk = max(tag_trigger, pg_risk), or the ready-made risk where that is higher; all in 0..1, to 9 digits like thresholds, as
--   sums of weights such as 0.1 miss their last one, and a risk that is the threshold must reach it
--   pg_risk = (w . s) / (3 * sum(w)) over the Parent Guide categories, 0 where sum(w) = 0
--   source: which of 'tags', 'guide', 'both', 'given' gives the risk; null where the risk is 0

create or replace view derived_risk as
with covered as (
    select imdb_id from film_tags union select imdb_id from tag_coverage
),
asked as (
    select imdb_id, trait from covered cross join (select distinct trait from trait_tags)
),
-- A category that nobody rated counts as None (0): its weight stays in the denominator.
guide as (
    select imdb_id, trait,
           least(round(sum(weight * severity) / (3 * any_value(total_weight)), 9), 1) as pg_risk,
           map_from_entries(list((category, severity) order by category)) as severities
    -- Two sources may rate the same film: the more severe rating counts.
    from (select imdb_id, category, max(severity) as severity from film_severities group by all)
    join (select *, sum(weight) over (partition by trait) as total_weight from trait_weights) using (category)
    where weight > 0
    group by all
),
tagged as (
    select imdb_id, trait, list(distinct tag order by tag) as hit_tags
    from film_tags join tag_matches using (tag)
    group by all
)
select imdb_id, trait,
       if(hit_tags is null, 0, 1)::double as tag_trigger,
       coalesce(pg_risk, 0) as pg_risk,
       hit_tags, severities
from asked full join guide using (imdb_id, trait)
left join tagged using (imdb_id, trait);

create or replace table trait_risk as
with given as (
    -- Two sources may deliver the same film: the more cautious one counts.
    select imdb_id, trait, round(max(risk), 9) as risk, round(max(pg_risk), 9) as pg_risk, max(tag_trigger) as tag_trigger,
           arg_max(hit_tags, risk) as hit_tags
    from given_risk group by all
),
fused as (
    select imdb_id, trait,
           greatest(d.tag_trigger, d.pg_risk) as derived, g.risk as given,
           greatest(d.tag_trigger, g.tag_trigger) as tag_trigger,
           greatest(d.pg_risk, g.pg_risk) as pg_risk,
           d.tag_trigger > 0 as by_tags, d.pg_risk > 0 as by_guide,
           coalesce(d.hit_tags, g.hit_tags) as hit_tags,
           d.severities
    from derived_risk d full join given g using (imdb_id, trait)
)
select imdb_id, trait,
       greatest(derived, given) as risk,
       tag_trigger, pg_risk,
       case when greatest(derived, given) = 0 then null
            when derived is null or given > derived then 'given'
            when by_tags and by_guide then 'both'
            when by_tags then 'tags'
            else 'guide' end as source,
       hit_tags, severities
from fused
order by imdb_id, trait;
