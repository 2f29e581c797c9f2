-- What an older store, attached as old_store, holds in those of the tables $1 that are there, empty, to be filled. grain: column of a
-- table. is_known: it is to have the column. Tables that are derived are made anew, and store_info says what it is itself.
with held as (
    select table_name, column_name from duckdb_columns() join duckdb_tables() using (database_name, schema_name, table_name)
    where database_name = 'old_store' and schema_name = 'main'
),
wanted as (
    select table_name, column_name from duckdb_columns() join duckdb_tables() using (database_name, schema_name, table_name)
    where database_name = current_database() and schema_name = 'main' and table_name <> 'store_info' and list_contains($1, table_name)
)
select table_name, column_name, w.column_name is not null as is_known
from held h left join wanted w using (table_name, column_name)
where table_name in (select table_name from wanted)
order by table_name, column_name;
