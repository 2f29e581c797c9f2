-- What is in a DuckDB file that can be dropped by its name. grain: one of it, with its kind as DROP calls it.
select table_name as name, 'table' as kind from duckdb_tables() where database_name = current_database() and schema_name = 'main' and not internal
union all
select view_name, 'view' from duckdb_views() where database_name = current_database() and schema_name = 'main' and not internal
union all
select distinct function_name, if(function_type = 'macro', 'macro', 'macro table') from duckdb_functions()
where database_name = current_database() and schema_name = 'main' and not internal and function_type in ('macro', 'table_macro');
