-- The sums of log/sums.sql over the whole log: files of merged folders, and single steps computed now.
-- Grains and columns are given there. Built on log/tables.sql, log/sums.sql.

create or replace view rank_sums as
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet(log_files('steps-*/rank_sums.parquet'), filename = true)
where merged_counts(log_part(filename, -2))
union all by name
from loose_rank_sums;

create or replace view trait_sums as
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet(log_files('steps-*/trait_sums.parquet'), filename = true)
where merged_counts(log_part(filename, -2))
union all by name
from loose_trait_sums;

-- The step that named queries are about: SET VARIABLE step = 12 chooses one; else the newest of the chosen run.
create or replace macro chosen_step() as case
    when getvariable('step') is not null then getvariable('step')
    else (select max(step) from rank_sums where run_id = chosen_run())
end;
