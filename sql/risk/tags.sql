-- Which traits a tag triggers. Built on store/schema.sql and risk/tag_key.sql.
-- tag_matches: grain tag of some film x trait that it triggers, by its key or by that of a synonym.

create or replace table tag_matches as
with wanted as (
    select trait, tag_key(tag) as key from trait_tags
    union
    select trait, tag_key(synonym)
    from trait_tags join tag_synonyms on tag_key(trait_tags.tag) = tag_key(tag_synonyms.tag)
),
carried as (
    select tag, tag_key(tag) as key from (select distinct tag from film_tags)
)
select tag, trait from carried join wanted using (key) order by all;
