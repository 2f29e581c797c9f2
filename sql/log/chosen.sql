-- Which runs named queries are about. Built on log/tables.sql.

-- What newest means of runs, wherever it is asked: of two that began at one moment the name decides, and one without a time is the oldest.
-- (Not the names alone, which have the second, and four digits by chance.)
create or replace macro run_order(started_at, run_id) as
    row(coalesce(in_calendar(started_at), timestamp '-infinity'), run_id);

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
