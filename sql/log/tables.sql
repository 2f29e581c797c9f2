-- The run log as tables. Built on Parquet files below log_root(), a macro that the store defines (to read another
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

-- A macro's arguments are put in its text as they are, and its tables are looked for among the caller's CTEs too. So that neither means
-- another thing there, macros that people call name tables with their schema (main.verdicts), and compare arguments with columns whose
-- names nobody else has: "select columns('^its_(.*)$') as '\1' from (
-- from (select columns('(.*)') as 'its_\1' from main.verdicts) where its_run_id = run)". DuckDB still opens that run's files only, as it would not where it is told the run by a join.
-- Likewise the parameter of a lambda that has an argument within: its_own, and the like.

-- grain: one run. run_id is unique; every weight and setting that rewards and advantages follow from is a column.
-- lambda_*, penalty_safe, w_* : reward units; own_weights: MAP, weights of own rewards by name; risk_threshold: 0..1; settings, versions, git: JSON.
-- The evaluations of a training run are a run of kind 'evaluate', whose settings name it as training_run: a step there is the policy after that step.
--   started_at   UTC, whatever the session's time zone (and Python needs no pytz to fetch it)
--   settings     null where a run holds anything but JSON: others are asked about their settings beside it
create or replace view runs as
select * exclude (filename) replace (
    log_part(filename, -2) as run_id,
    make_timestamp(epoch_us(started_at)) as started_at,
    case when json_valid(settings) then settings end as settings
)
from read_parquet(log_found(getvariable('log_run_files'), 'run.parquet', 'run.parquet'), hive_partitioning = false, filename = true, union_by_name = true)
where not log_is_foreign(log_part(filename, -2));

-- A time, or null where it is none of the years 1 to 9999: Python has no other.
create or replace macro in_calendar(moment) as case when moment >= timestamp '0001-01-01' and moment < timestamp '10000-01-01' then moment end;

-- What newest means of runs, wherever it is asked: of two that began at one moment the name decides, and one without a time is the oldest.
-- (Not the names alone, which have the second, and four digits by chance.)
create or replace macro run_order(started_at, run_id) as
    row(coalesce(in_calendar(started_at), timestamp '-infinity'), run_id);

-- The training run whose evaluations a run is; null: it is none of that kind.
create or replace macro training_run(settings) as nullif(settings->>'$.training_run', '');

-- The run whose answers `log rejudge` judged again as this one; null: it is none of that kind. It stands for no run of its own: not for
-- a point of a training run's curve, nor for the run before another.
create or replace macro rejudged_from(settings) as nullif(settings->>'$.rejudged_from', '');

-- The run that named queries are about: SET VARIABLE run = '<run_id>' chooses one; else the newest training run. Without any, it is the
-- newest evaluation; of runs that are judged again, the newest where there are no others.
create or replace macro chosen_run() as case
    when getvariable('run') is not null then getvariable('run')
    else (
        select arg_max(run_id, row(rejudged_from(settings) is null, kind = 'train', run_order(started_at, run_id))) from main.runs
    )
end;

-- grain: one run. What it is compared with where nobody names another run.
--   place       which of two runs is the newer one
--   other_run   the run that it judges again; of a run that judges none again, the one of its kind before it; null: there is none in the log
create or replace view run_pairs as
select
    run_id, kind, settings, run_order(started_at, run_id) as place,
    case when rejudged_from(settings) is not null then origin else last_value(
        case when training_run(settings) is null and rejudged_from(settings) is null then run_id end ignore nulls
    ) over (partition by kind order by run_order(started_at, run_id) rows between unbounded preceding and 1 preceding) end as other_run
from runs left join (select run_id as origin from runs) on origin = rejudged_from(settings);

-- Two runs to compare: SET VARIABLE run and other_run choose them. Else the newest evaluation that has one to be compared with (or,
-- without any, the run that named queries are about), and that one.
create or replace macro chosen_later_run() as case
    when getvariable('run') is not null then getvariable('run')
    else coalesce(
        (
            select arg_max(run_id, place) from main.run_pairs
            where kind = 'evaluate' and training_run(settings) is null and other_run is not null
        ),
        chosen_run()
    )
end;
create or replace macro chosen_other_run() as case
    when getvariable('other_run') is not null then getvariable('other_run')
    else (select other_run from main.run_pairs where run_id = chosen_later_run())
end;
-- The same of a statement that is about nothing without it: an error where the log has runs, and none to compare with.
create or replace macro needed_other_run() as case
    when chosen_other_run() is not null then chosen_other_run()
    when chosen_later_run() is not null then error(coalesce(
        'run ' || chosen_later_run() || ' judges ' || (select rejudged_from(settings) from main.runs where run_id = chosen_later_run())
            || ' again, which is not in this log',
        'the log has no run of its kind before ' || chosen_later_run()
    ) || ': name the run to compare with (--other-run; in SQL its id for needed_other_run())')
end;

-- Ranks that have a reward and an advantage of their own: K, and the one behind where the end of a list is credited.
create or replace macro ranks_of_run(rec_num, lambda_end, length_control, settings) as rec_num + (
    lambda_end > 0 or coalesce(length_control, 0) > 0 or coalesce(json_extract_string(settings, '$.end_credit') = 'true', false)
)::integer;

-- grain: one run. What the shape of its lists follows from; apart from runs, whose names many sums share.
create or replace view run_shape as
select run_id, kind, rec_num, ranks_of_run(rec_num, lambda_end, length_control, settings) as rewarded_ranks from runs;

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
    select log_folder(file) as folder, count(*) as n_files
    from glob(log_files('steps-*/*.parquet'))
    where log_part(file, -1) in ('completions.parquet', 'verdicts.parquet', 'rank_sums.parquet', 'trait_sums.parquet')
    group by all
    having n_files = 4
),
counted as (
    -- What a manifest lists was there before it (a copy of a log that is not done yet may lack it).
    select run_id, case when n_files is null and not log_is_left_out(run_id) and not log_is_left_out(folder)
        then error(folder || ' lacks files, or is not copied yet: the manifest of its run lists it') else folder end as folder
    from (from manifests where folder is not null and run_id <> '_schema')
    left join whole using (folder)
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

-- grain: one completion (an answer). Key: (run_id, step, completion); completion counts from 0 in its step.
--   group_id      completions of one prompt, compared with each other: completion // num_generations
--   prompt_id     the same for the same text of a prompt, in every run; dataset_id: the id that the dataset gives it, if any
--   constraints   traits to avoid, by their names in full, as verdicts have them
--   groundtruth   eligible films (in the catalog, not seen), is_safe for this prompt's constraints
--   n_tokens      tokens generated; null: not known (answers from a file or a provider)
--   n_films       entries parsed, beyond rank K too (of a longer list the first 32,767); ended: wrote its end-of-text token
create or replace view rollouts as from log_rows('completions.parquet');

-- The status of a verdict. Format 1 stored none, nor which films are unrated: there it is what follows from the rest.
create or replace macro told_status(status, title, violated_traits, match_method) as coalesce(status, case
    when title is null then null
    when len(violated_traits) > 0 then 'unsafe'
    when match_method is null then 'unresolved'
    else 'safe'
end);

-- grain: one rank of one completion. Key: (run_id, step, completion, rank); ranks count from 1. Every completion has
-- ranks 1..K (and K + 1 where the end of a list is rewarded), title null = nothing was emitted there, and a row for
-- each entry beyond. Of a title that the length limit cut off, title is null and start is not: it has a place in the text
-- and no verdict, no reward (every r_* is null) and no part in its group's mean; n_films does not count it.
--   prompt_id, constrained, n_films, n_groundtruth, n_groundtruth_safe   of the completion, repeated to spare joins
--   run_k, run_threshold             the run's rec_num and risk_threshold, likewise
--   start, end                       characters of the entry in the text
--   imdb_id … match_score            film found; match_method null = unresolved; score 0..1
--   status                           'unsafe': a known risk reaches the threshold; else 'unresolved': no film; else 'unrated':
--                                    nothing is known of the film for some constraint (unrated_traits); else 'safe'.
--                                    null: nothing emitted
--   max_risk, evidence               highest known risk over the prompt's constraints (null: none is known), and each
--                                    constraint with a risk > 0
--   is_safe                          what the status counts as under the run's settings `unresolved` and `unrated`; null:
--                                    ignored, or nothing emitted
--   r_rel … r_repeat                 reward parts before weights (reward_kinds() tells what each is)
--   own_rewards                      MAP: of rewards that are somebody's own, by name, before weights; null: the run has none
--   r_total                          their weighted sum; null = left out of the mean
--   length_control                   what was added to the advantage for the length of the list, in its own units
--   advantage                        null: not trained on
--   n_tokens                         tokens of this rank, which carry its advantage; null: not known
create or replace view verdicts as from log_rows('verdicts.parquet');

-- What the figures are made of: some figure may differ where this differs of two verdicts on one place of an answer. null:
-- nothing was emitted there. A risk that stays on its side of the threshold, and how a film was found, is no part of it, but for whether
-- several films fit.
create or replace macro judgement(verdict) as case when verdict.title is not null then to_json({
    title: verdict.title, imdb_id: verdict.imdb_id, is_ambiguous: verdict.match_method is not distinct from 'ambiguous', status: told_status(verdict.status, verdict.title, verdict.violated_traits, verdict.match_method), is_safe: verdict.is_safe,
    violated: list_sort(verdict.violated_traits), unrated: list_sort(coalesce(verdict.unrated_traits, [])),
    in_catalog: verdict.in_catalog, seen: verdict.seen, repeated: verdict.repeated, hit: verdict.hit
})::varchar end;

-- What a film counts as by is_safe, in a word. (if(null, …) takes its last value.)
create or replace macro counted_as(is_safe) as case is_safe when true then 'safe' when false then 'violations' else 'nothing' end;

-- Which film a verdict is about, where verdicts on one film are counted: the one that was found, else title and year as written.
create or replace macro film_of(imdb_id, title, year) as case
    when imdb_id is not null then {imdb_id: imdb_id, title: null, year: null} else {imdb_id: null, title: title, year: year}
end;

-- The title of a verdict's film, with its year: the one that was matched; of a film that was not found, the one that was written.
create or replace macro title_of(matched_title, matched_year, title, year) as case
    when matched_title is not null then {title: matched_title, year: matched_year} else {title: title, year: year}
end;

-- What a film is called where its verdicts are counted, an aggregate: the title_of most of them; of several the first by the alphabet.
create or replace macro usual_title(matched_title, matched_year, title, year) as mode(
    title_of(matched_title, matched_year, title, year) order by title_of(matched_title, matched_year, title, year)
);

-- The traits that evidence violates by a threshold, in the order of their names.
create or replace macro traits_at(evidence, threshold) as
    list_sort(list_transform(list_filter(evidence, lambda its_own: round(its_own.risk, 9) >= round(threshold, 9)), lambda its_own: its_own.trait));

-- grain: run x logged step x rank, of training runs. What the loss made of each rank, as means over the lists that have it.
--   step          the step at which it was logged: over all steps since the one logged before
--   lists         lists in micro-batches that have the rank; a batch that is used several times counts as often. With silent_groups = drop
--                 they, and all means here, are of the answers that were trained on: compare lists before you compare two runs
--   ratio         importance ratio of the rank's tokens, their mean; clip_ratio: share of its tokens whose ratio was clipped
--   kl            divergence from the reference a token, as Schulman's k3 estimates it; null: no KL term
create or replace view loss_by_rank as
select log_part(filename, -2) as run_id, * exclude (filename)
from read_parquet(log_found(getvariable('log_loss_files'), 'loss.parquet', 'loss.parquet'), hive_partitioning = false, filename = true)
where not log_is_foreign(log_part(filename, -2));
