-- grain: a table or view of the connection, by its name, database and schema, all in lower case.
select lower(name) as name, lower(database_name) as database, lower(schema_name) as schema
from (
    select database_name, schema_name, table_name as name from duckdb_tables()
    union all
    select database_name, schema_name, view_name from duckdb_views()
);
