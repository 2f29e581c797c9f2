-- The files of the run log. Built on Parquet files below log_root(), a macro that the store defines (to read another
-- log: SET VARIABLE log_root = '/path/to/other.log').
--
--   <run_id>/run.parquet       the run's settings, one row
--   <run_id>/loss.parquet      what the loss made of each rank, step by step; replaced whole
--   <run_id>/manifest-00000003.parquet
--                              lists the merged folders that count in epoch 3 of the run
--   <run_id>/step-00000212-e00000003-f2/
--                              one finished step, moved into place whole: completions.parquet, verdicts.parquet
--   <run_id>/steps-00000001-00000200-e00000002-f2/
--                              steps 1 to 200 merged: the same two files, and rank_sums.parquet, trait_sums.parquet
--   _schema/                   the same without rows, so that an empty log has its columns
--
-- Of a run's manifests the one of the highest epoch holds: the merged folders that it lists count, and the single steps of
-- its epoch, and nothing else. So each change other than a new step (a merge, going back to a checkpoint) is one manifest,
-- moved into place; docs/log-format.md draws it. A view lists the manifests before it lists any steps, and reads them after:
-- whatever they speak of is in its list, or reading fails. f2 is the format of the files; log_format() is the newest.
-- Read without hive_partitioning: else DuckDB takes a log in /sweep/lambda_safe=2/ for one whose column lambda_safe is 2 in every row.
-- run_id and step come from the path where they can, so that DuckDB opens only the files it needs.

-- Files of that name in every run's folder (or in the folders that the variable log_runs names), and in _schema: DuckDB has no pattern for
-- these alone, so the views leave out what else begins with _.
create or replace macro log_files(name) as log_root() || '/' || coalesce(getvariable('log_runs'), '[0-9_]*') || '/' || name;
-- What oracle.log.query found there when it listed the log ("<run>/<name>" of each file and folder of steps, in the variable log_listed), of
-- the names that fit a regular expression; null in DuckDB's own shell. Named, a file that can't be opened is an error; of a folder that can't
-- be listed, as where open files run short, DuckDB's patterns find nothing, and say nothing.
create or replace macro log_listed(named) as list_transform(
    list_filter(getvariable('log_listed')::varchar[], lambda its_own: regexp_full_match(its_own, '[^/]*/' || named)),
    lambda its_own: log_root() || '/' || regexp_replace(its_own, '([*?\[])', '[\1]', 'g')
);
-- The files of one kind that all views open at once, without the runs that oracle/log/state.py found broken: it sets the variables
-- log_run_files, log_manifest_files, log_loss_files (patterns of what is left), and log_left_out (ids of runs, and folders of steps).
create or replace macro log_kept(kept, name) as coalesce(kept, [log_files(name)]);
-- (name is a pattern of files and a regular expression alike.)
create or replace macro log_found(kept, name, of_schema) as
    coalesce([log_root() || '/_schema/' || of_schema] || log_listed(name), log_kept(kept, name));
-- Asked of a file's name, this and log_step_is_left_out keep DuckDB from opening the file, as no join does.
create or replace macro log_is_left_out(part) as coalesce(list_contains(getvariable('log_left_out')::varchar[], part), false);
create or replace macro log_part(file, part) as split_part(file, '/', part);
create or replace macro log_folder(file) as regexp_replace(file, '/[^/]*$', '');
create or replace macro log_is_foreign(run_id) as run_id[1] = '_' and run_id <> '_schema';
create or replace macro log_step_is_left_out(file) as
    log_is_foreign(log_part(file, -3)) or log_is_left_out(log_folder(file)) or log_is_left_out(log_part(file, -3));
-- Patterns of the folders of single and of merged steps; foreign names fit none.
create or replace macro log_digits(n) as repeat('[0-9]', n);
create or replace macro single_files(name, format := log_format()) as
    log_files('step-' || log_digits(8) || '-e' || log_digits(8) || '-f' || format || '/' || name);
create or replace macro merged_files(name, format := log_format()) as
    log_files('steps-' || log_digits(8) || '-' || log_digits(8) || '-e' || log_digits(8) || '-f' || format || '/' || name);
-- An empty file, to be read before others: without union_by_name the columns, and their types, are those of the first file.
create or replace macro single_schema(name) as log_root() || '/_schema/step-00000000-e00000000-f' || log_format() || '/' || name;
create or replace macro merged_schema(name) as
    log_root() || '/_schema/steps-00000000-00000000-e00000000-f' || log_format() || '/' || name;
-- A merge names the folders of single steps that it puts together, so that it opens and lists no others.
create or replace macro newest_single_files(name) as coalesce(
    list_transform(
        coalesce(getvariable('log_single_files')::varchar[], log_listed('step-\d{8}-e\d{8}-f' || log_format())), lambda folder: folder || '/' || name
    ),
    [single_files(name)]
);
create or replace macro newest_merged_files(name) as coalesce(
    list_transform(log_listed('steps-\d{8}-\d{8}-e\d{8}-f' || log_format()), lambda folder: folder || '/' || name), [merged_files(name)]
);
-- The patterns of all formats before. Format 1 had no manifest, and its folders no format: merged ones were named after the seconds
-- (Unix time) from which and until which they counted.
create or replace macro older_single_files(name) as
    list_transform(log_kept(getvariable('log_older_single_files'), 'step-' || log_digits(8)), lambda folder: folder || '/' || name)
    || list_transform(range(2, log_format()), lambda format: single_files(name, format := format));
create or replace macro older_merged_files(name) as
    list_transform(
        log_kept(getvariable('log_older_merged_files'), 'steps-' || log_digits(8) || '-' || log_digits(8) || '-' || log_digits(10) || '-9999999999'),
        lambda folder: folder || '/' || name
    )
    || list_transform(range(2, log_format()), lambda format: merged_files(name, format := format));
