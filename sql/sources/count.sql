-- How many rows the source being loaded has, those included that are no rows of its table.
select (select count(*) from raw) + (select count(*) from rejects);
