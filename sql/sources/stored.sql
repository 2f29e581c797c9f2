-- How many rows of the store come from the source being loaded.
select count(*) from (
    select source_id from titles
    union all select source_id from catalog
    union all select source_id from film_tags
    union all select source_id from film_severities
    union all select source_id from given_risk
    union all select source_id from tag_coverage
    union all select source_id from other_ids
) where source_id = getvariable('source_id');
