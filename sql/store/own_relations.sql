-- What a store of an older format, attached as old_store, holds that a store of this one does not: somebody's own tables and views, and
-- what a later format had no use for. grain: one of them; tables first. sql: the statement that makes the view; null: a table.
with held as (
    select table_name as name, null as sql from duckdb_tables() where database_name = 'old_store' and schema_name = 'main' and not internal
    union all
    select view_name, sql from duckdb_views() where database_name = 'old_store' and schema_name = 'main' and not internal
)
from held
where name not in (select table_name from duckdb_tables() where database_name = current_database())
    and name not in (select view_name from duckdb_views() where database_name = current_database())
order by sql is not null, name;
