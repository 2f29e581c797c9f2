-- Votes with a row a level -> raw as severities.sql expects it: film x category, with the level that has the most votes, of
-- equals the more severe one. Expects raw(row, content, imdb_id, category, severity, votes) as text. A row that can't be
-- read takes its film's category with it: the other levels may be those that fewer voted for.
create or replace temp table votes_read as
select *, coalesce(severity_fault(severity), if(is_count(votes), null, quoted(votes) || ' is no count of votes')) as reason
from raw;

insert into rejects select row, content, reason from votes_read where reason is not null;

create or replace temp table raw as
select min(row) as row, min_by(content, row) as content, imdb_id, category,
       arg_max(severity, (vote_count(votes), severity_of(severity))) filter (vote_count(votes) > 0) as severity,
       null::varchar as severities, null::varchar as c0
from votes_read
group by imdb_id, category having count(reason) = 0;
