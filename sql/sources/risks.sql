-- Ready-made risks -> given_risk. Built on macros.sql; expects raw(row, content, imdb_id, trait, risk, pg_risk,
-- tag_trigger, hit_tags, source) as text and the variable source_id.

create or replace temp table checked as
select row, id_of(imdb_id) as imdb_id, given(trait) as trait, share_of(risk) as risk,
       share_of(pg_risk) as pg_risk, share_of(tag_trigger) as tag_trigger,
       list_filter(list_of(hit_tags), lambda tag: tag <> '') as hit_tags, given(source) as source,
       coalesce(id_fault(imdb_id),
                if(given(trait) is null, 'no trait', null),
                if(given(risk) is null, 'no risk', share_fault('the risk', risk)),
                if(given(pg_risk) is null, null, share_fault('the pg_risk', pg_risk)),
                if(given(tag_trigger) is null, null, share_fault('the tag trigger', tag_trigger))) as reason,
       if(reason is null, null, content) as content
from raw;

insert into rejects select row, content, reason from checked where reason is not null;

insert into given_risk (imdb_id, trait, risk, pg_risk, tag_trigger, hit_tags, source, source_id)
select distinct imdb_id, trait, risk, pg_risk, tag_trigger, hit_tags, source, getvariable('source_id')
from checked
where reason is null;
