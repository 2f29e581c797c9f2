-- log/rows.sql for a log without rows, while views are made on it. A view is bound when it is made, and all that it is built on with it,
-- down to the files: on this ground that takes half as long. Built on log/files.sql.

create or replace view log_counted as select null::varchar as run_id, null::varchar as folder where false;

create or replace macro single_rows(name, folders) as table
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet(single_schema(name), hive_partitioning = false, filename = true);

create or replace macro merged_rows(name, folders) as table
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet(merged_schema(name), hive_partitioning = false, filename = true);

create or replace macro log_rows(name) as table from merged_rows(name, null);
