-- The run log as tables. Built on Parquet files below log_root(), a macro that the store defines (to read another
-- log: SET VARIABLE log_root = '/path/to/other.log').
--
--   <run_id>/run.parquet       the run's settings, one row
--   <run_id>/step-00000012/    one finished step, moved into place whole: completions.parquet, verdicts.parquet
--   <run_id>/steps-00000001-00000500-1795352909-9999999999/
--                              steps 1 to 500 merged; they count from the first of these seconds (Unix time) to the last
--   _schema/                   the same without rows, so that an empty log has its columns
--
-- Merging never shows a step twice or not at all: a merged folder is there some seconds before it counts, and the single
-- steps that it covers are still there some seconds after. Which of them count is asked of now(), one instant for the
-- whole query (in an explicit transaction that of its begin: don't keep one open while steps are merged).
-- run_id and step come from the path where they can, so that DuckDB opens only the files it needs.

-- Files of that name in every run's folder (or in the folders that the variable log_runs names).
create or replace macro log_files(name) as log_root() || '/' || coalesce(getvariable('log_runs'), '[0-9_]*') || '/' || name;
create or replace macro log_part(file, part) as split_part(file, '/', part);
create or replace macro merged_first(folder) as folder[7:14]::integer;
create or replace macro merged_last(folder) as folder[16:23]::integer;
create or replace macro merged_counts(folder) as
    folder[25:34]::bigint <= epoch(now()) and epoch(now()) < folder[36:45]::bigint;

-- grain: one run. run_id is unique; every weight and setting that rewards and advantages follow from is a column.
-- lambda_*, penalty_safe, w_* : reward units; risk_threshold: 0..1; settings, versions, git: JSON.
--   started_at   UTC, whatever the session's time zone (and Python needs no pytz to fetch it)
create or replace view runs as
select * replace (make_timestamp(epoch_us(started_at)) as started_at) from read_parquet(log_files('run.parquet'));

-- The run that named queries are about: SET VARIABLE run = '<run_id>' chooses one; else the newest training run.
create or replace macro chosen_run() as case
    when getvariable('run') is not null then getvariable('run')
    else (select coalesce(max(run_id) filter (kind = 'train'), max(run_id)) from runs)
end;

-- The run to compare it with: SET VARIABLE other_run chooses one; else the run of the same kind before it.
create or replace macro chosen_other_run() as case
    when getvariable('other_run') is not null then getvariable('other_run')
    else (
        select max(run_id) from runs
        where run_id < chosen_run() and kind = (select kind from runs where run_id = chosen_run())
    )
end;

-- grain: one run. What the shape of its lists follows from; apart from runs, whose names many sums share.
create or replace view run_shape as
select run_id, kind, rec_num, rec_num + (lambda_end > 0)::integer as rewarded_ranks from runs;

-- grain: one merged folder that counts. Key: (run_id, first_step).
create or replace view merged_steps as
select run_id, merged_first(folder) as first_step, merged_last(folder) as last_step
from (
    select log_part(file, -3) as run_id, log_part(file, -2) as folder
    from glob(log_files('steps-*/verdicts.parquet'))
)
where merged_counts(folder) and run_id <> '_schema';

-- loose_*: single steps that no merged folder covers yet. Same grains and columns as rollouts and verdicts.
create or replace view loose_completions as
from (
    select * exclude (filename) replace (log_part(filename, -3) as run_id, log_part(filename, -2)[6:]::integer as step)
    from read_parquet(log_files('step-*/completions.parquet'), filename = true)
) as single
anti join merged_steps m on m.run_id = single.run_id and single.step between m.first_step and m.last_step;

create or replace view loose_verdicts as
from (
    select * exclude (filename) replace (log_part(filename, -3) as run_id, log_part(filename, -2)[6:]::integer as step)
    from read_parquet(log_files('step-*/verdicts.parquet'), filename = true)
) as single
anti join merged_steps m on m.run_id = single.run_id and single.step between m.first_step and m.last_step;

-- grain: one completion (an answer). Key: (run_id, step, completion); completion counts from 0 in its step.
--   group_id      completions of one prompt, compared with each other: completion // num_generations
--   groundtruth   eligible films (in the catalog, not seen), is_safe for this prompt's constraints
--   n_tokens      tokens generated; n_films: entries parsed, beyond rank K too; ended: wrote its end-of-text token
create or replace view rollouts as
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet(log_files('steps-*/completions.parquet'), filename = true)
where merged_counts(log_part(filename, -2))
union all by name
from loose_completions;

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
--   r_rel … r_repeat, r_total        reward parts before weights, and their weighted sum; null = left out of the mean
--   advantage                        null: not trained on; n_tokens: tokens that carry this advantage
create or replace view verdicts as
select * exclude (filename) replace (log_part(filename, -3) as run_id)
from read_parquet(log_files('steps-*/verdicts.parquet'), filename = true)
where merged_counts(log_part(filename, -2))
union all by name
from loose_verdicts;
