-- What a store that is being built can take over from an older one, attached as old_store. grain: column of a table.
select table_name, column_name
from duckdb_columns() as wanted
join duckdb_tables() using (database_name, schema_name, table_name)
semi join (
    select table_name, column_name from duckdb_columns() join duckdb_tables() using (database_name, schema_name, table_name)
    where database_name = 'old_store'
) as held using (table_name, column_name)
where database_name = current_database() and not wanted.internal and table_name <> 'store_info'
order by table_name, column_name;
