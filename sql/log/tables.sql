-- The run log as tables. Built on log/files.sql and log/rows.sql.

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

-- The training run whose evaluations a run is; null: it is none of that kind.
create or replace macro training_run(settings) as nullif(settings->>'$.training_run', '');

-- The run whose answers `log rejudge` judged again as this one; null: it is none of that kind. It stands for no run of its own: not for
-- a point of a training run's curve, nor for the run before another.
create or replace macro rejudged_from(settings) as nullif(settings->>'$.rejudged_from', '');

-- Ranks that have a reward and an advantage of their own: K, and the one behind where the end of a list is credited.
create or replace macro ranks_of_run(rec_num, lambda_end, length_control, settings) as rec_num + (
    lambda_end > 0 or coalesce(length_control, 0) > 0 or coalesce(json_extract_string(settings, '$.end_credit') = 'true', false)
)::integer;

-- grain: one run. What the shape of its lists follows from; apart from runs, whose names many sums share.
create or replace view run_shape as
select run_id, kind, rec_num, ranks_of_run(rec_num, lambda_end, length_control, settings) as rewarded_ranks from runs;

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
