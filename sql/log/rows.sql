-- Which folders of steps count, and their rows. Built on log/files.sql.

-- grain: one folder of steps that counts. folder: its path.
-- Files are listed when a statement is bound; by union_by_name all of the manifests, at once. Each table of a statement lists them for itself,
-- but where oracle.log.query has listed them for all (log_listed): a step which comes in between is in none of them then.
create or replace view log_counted as
with listed as materialized (
    select
        log_part(filename, -2) as run_id, log_part(filename, -1)[10:17]::integer as epoch, log_folder(filename) as place,
        place || '/' || folder as folder
    from read_parquet(
        log_found(getvariable('log_manifest_files'), 'manifest-' || log_digits(8) || '.parquet', 'manifest-00000000.parquet'),
        hive_partitioning = false, filename = true, union_by_name = true
    )
),
-- Apart from the reading: DuckDB makes this window a join with itself, which would list the manifests twice, and a run that is merged
-- between the two would have no steps.
manifests as materialized (
    from listed where not log_is_foreign(run_id) qualify epoch = max(epoch) over (partition by run_id)
),
files_1 as materialized (
    select
        log_part(file, -3) as run_id,
        log_folder(file) as folder,
        log_part(file, -2)[:5] = 'step-' as single,
        regexp_extract(file, '/steps?-(\d{8})', 1)::integer as first_step,
        regexp_extract(file, '/steps-\d{8}-(\d{8})-', 1) as last_step
    from glob(log_files('step*/verdicts.parquet'))
    where not log_is_foreign(log_part(file, -3)) and regexp_full_match(log_part(file, -2), 'step-\d{8}|steps-\d{8}-\d{8}-\d{10}-9{10}')
),
whole as (
    -- (What is read by its name, as oracle.log.query does with all but the merged folders of format 1, is an error where it is gone.)
    select log_part(file, -3) as run_id, log_part(file, -2) as name, count(*) = 4 as is_there
    from glob(log_files('steps-*/*.parquet'))
    where (getvariable('log_listed') is null or regexp_full_match(log_part(file, -2), 'steps-\d{8}-\d{8}-\d{10}-9{10}'))
        and log_part(file, -1) in ('completions.parquet', 'verdicts.parquet', 'rank_sums.parquet', 'trait_sums.parquet')
    group by all
    having is_there
    union all
    select log_part(its_own, 1), log_part(its_own, 2), true
    from (select unnest(getvariable('log_listed')::varchar[]) as its_own)
),
counted as (
    -- What a manifest lists was there before it (a copy of a log that is not done yet may lack it).
    select run_id, case when is_there is null and not log_is_left_out(run_id) and not log_is_left_out(folder)
        then error(folder || ' lacks files, or is not copied yet: the manifest of its run lists it') else folder end as folder
    from (select *, log_part(folder, -1) as name from manifests where folder is not null and run_id <> '_schema')
    left join whole using (run_id, name)
    union all
    select run_id, place || '/' || log_part(step, -1)
    from (
        select log_part(log_folder(file), -2) || '/' || log_part(log_folder(file), -1) as step
        from glob(single_files('verdicts.parquet', format := '[0-9]'))
        where getvariable('log_listed') is null
        union all
        from (select unnest(getvariable('log_listed')::varchar[]) as step) where regexp_full_match(step, '[^/]*/step-\d{8}-e\d{8}-f\d')
    )
    join manifests on manifests.folder is null and log_part(step, -2) = run_id and log_part(step, -1)[16:23]::integer = epoch
    where run_id <> '_schema'
    union all
    select run_id, folder
    from files_1
    anti join manifests using (run_id)
    anti join files_1 as merged
        on merged.run_id = files_1.run_id and not merged.single and files_1.single
        and files_1.first_step between merged.first_step and merged.last_step::integer
    where files_1.run_id <> '_schema'
)
from counted where not log_is_left_out(run_id) and not log_is_left_out(folder);

-- Files of that name in these folders. (Compared by path, as DuckDB does that once a file.)
create or replace macro log_paths(folders, name) as table
select unnest(folders) || '/' || name as filename;

-- The rows of single, or of merged, steps in these folders, whatever their format; what an older format did not hold is null.
create or replace macro single_rows(name, folders) as table
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet([single_schema(name)] || newest_single_files(name), hive_partitioning = false, filename = true)
    semi join log_paths(folders, name) using (filename)
where not log_step_is_left_out(filename)
union all by name
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet(older_single_files(name), hive_partitioning = false, filename = true, union_by_name = true) semi join log_paths(folders, name) using (filename);

create or replace macro merged_rows(name, folders) as table
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet([merged_schema(name)] || newest_merged_files(name), hive_partitioning = false, filename = true) semi join log_paths(folders, name) using (filename)
where not log_step_is_left_out(filename)
union all by name
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet(older_merged_files(name), hive_partitioning = false, filename = true, union_by_name = true) semi join log_paths(folders, name) using (filename);

-- The rows of all that counts. On the left of the join, so that manifests are listed before the files; and one list of files
-- for single and merged steps, so that both are of one manifest. (A shared CTE would do too, but reads all columns.)
create or replace macro log_rows(name) as table
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from log_paths((select list(folder) from main.log_counted), name)
join read_parquet([merged_schema(name)] || newest_merged_files(name) || newest_single_files(name), hive_partitioning = false, filename = true) as files using (filename)
where not log_step_is_left_out(files.filename)
union all by name
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from log_paths((select list(folder) from main.log_counted), name)
join read_parquet(older_merged_files(name) || older_single_files(name), hive_partitioning = false, filename = true, union_by_name = true) using (filename);
