-- Content tags -> film_tags, tag_coverage. Built on macros.sql and ../risk/tag_key.sql; expects raw(row, content, imdb_id,
-- tag, tags, present, yes, no, relevance) as text, where tags is a list, and the variables source_id, tag_share, tag_votes,
-- relevance, and tags_alone: whether a row without a tag is a fault. A film carries a tag unless the row says otherwise: by a truth (present), by votes (at least tag_votes
-- of them, a share of at least tag_share for "yes"), or by a relevance in 0..1. What a film does not carry is evidence as well.

create or replace temp table checked as
with wanted as materialized (
    select tag_key(tag) as key from trait_tags
),
spread as (
    select row, content, imdb_id, present, yes, no, relevance,
           unnest(case when given(tags) is not null then coalesce(list_of(tags), [null])
                       when not regexp_matches(coalesce(tag, ''), '[,;|]') or tag_key(tag) in (from wanted) then [tag]
                       else parts_of(tag) end) as tag
    from raw where given(tag) is not null or given(tags) is not null or getvariable('tags_alone')
),
read as (
    select *, vote_count(yes) as ayes, vote_count(yes) + vote_count(no) as votes,
           given(if(regexp_full_match(tag, '"[^"]*"|''[^'']*'''), tag[2:-2], tag)) as word
    from spread
)
select row, id_of(imdb_id) as imdb_id, word as tag,
       case when given(yes) is not null or given(no) is not null
                then if(votes >= getvariable('tag_votes'), ayes >= getvariable('tag_share') * votes, null)
            when given(relevance) is not null then share_of(relevance) >= getvariable('relevance')
            when given(present) is not null then truth_of(present)
            else true end as is_carried,
       coalesce(id_fault(imdb_id),
                if(word is null or starts_with(word, '{'), 'no tag', null),
                if(starts_with(word, 'http'), quoted(word) || ' is a link, not the name of a tag', null),
                if(given(yes) is null and given(no) is null, null,
                   if(coalesce(try_cast(coalesce(whole(yes), '0') as bigint), -1) >= 0 and coalesce(try_cast(coalesce(whole(no), '0') as bigint), -1) >= 0,
                      null, 'votes ' || coalesce(quoted(yes), 'null') || ' and ' || coalesce(quoted(no), 'null') || ' are no counts')),
                if(given(relevance) is null, null, share_fault('the relevance', relevance)),
                truth_fault(present)) as reason,
       if(reason is null, null, content) as content
from read;

insert into rejects select distinct row, content, reason from checked where reason is not null;

insert into film_tags (imdb_id, tag, source_id)
select distinct imdb_id, tag, getvariable('source_id')
from checked
where reason is null and is_carried;

insert into tag_coverage (imdb_id, source_id)
select distinct imdb_id, getvariable('source_id')
from checked
where reason is null and is_carried = false
  and imdb_id not in (select imdb_id from film_tags where source_id = getvariable('source_id'));
