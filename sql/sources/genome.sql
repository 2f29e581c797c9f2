-- MovieLens' tag genome: raw(movieid, tagid, relevance) gets the tags' names from genome_tags(tagid, tag).
create or replace temp table raw as
select raw.* replace (genome_tags.tag as tag) from raw left join genome_tags using (tagid);

insert into rejects
select row, content, 'the tag ' || coalesce(quoted(tagid), 'null') || ' has no name in genome-tags.csv' from raw where given(tag) is null;

delete from raw where given(tag) is null;
