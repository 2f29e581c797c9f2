-- grain: one view of the log or table of the store that people query, with its columns. The store has views of the log of its own,
-- which those of the connection take the place of.
select
    table_name as name,
    string_agg(column_name, ', ' order by column_index) as columns,
    database_name = 'store' as in_store
from duckdb_columns()
where not internal and table_name not in ('log_counted', 'run_shape')
    and (database_name = 'memory' or table_name not in (select view_name from duckdb_views() where database_name = 'memory'))
group by table_name, database_name
order by in_store, name;
