-- Readies a connection to a store for loading sources. Built on store/schema.sql.
-- sources.digest: SHA-256 of what was loaded, so that the same content is loaded once.
alter table sources add column if not exists digest varchar;
alter table catalog add column if not exists source_id integer;
alter table given_risk add column if not exists source_id integer;

-- rejects: grain one fault of one row of the source being loaded; row counts from 1, a header included.
create or replace temp table rejects ("row" bigint, content varchar, reason varchar);
