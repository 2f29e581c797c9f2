-- grain: one view of the log or table of the store that people query, with its columns.
select
    table_name as name,
    string_agg(column_name, ', ' order by column_index) as columns,
    bool_or(database_name = 'store') as in_store
from duckdb_columns()
where not internal and table_name not in ('log_counted', 'run_shape')
group by table_name
order by in_store, name;
