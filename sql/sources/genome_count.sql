-- How many rows a tag genome has that is being loaded, those included that are no rows of its table.
select (select coalesce(sum(times), 0)::bigint from raw) + (select count(*) from rejects);
