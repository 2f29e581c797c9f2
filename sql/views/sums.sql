-- The sums of log/sums.sql over the whole log: files of merged folders, and single steps computed now.
-- Grains and columns are given there. One list of folders holds for both. Built on log/tables.sql, log/sums.sql.

create or replace view rank_sums as
with counted as materialized (select list(folder) as folders from log_counted)
select null::varchar as run_id from counted where false  -- lists the manifests first
union all by name
from merged_rows('rank_sums.parquet', (select folders from counted))
union all by name
from single_rank_sums((select folders from counted));

create or replace view trait_sums as
with counted as materialized (select list(folder) as folders from log_counted)
select null::varchar as run_id from counted where false  -- lists the manifests first
union all by name
from merged_rows('trait_sums.parquet', (select folders from counted))
union all by name
from single_trait_sums((select folders from counted));

-- The step that named queries are about: SET VARIABLE step = 12 chooses one; else the newest of the chosen run.
create or replace macro chosen_step() as case
    when getvariable('step') is not null then getvariable('step')
    else (select max(step) from main.rank_sums where run_id = chosen_run())
end;
