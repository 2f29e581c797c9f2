-- Is this run better than the one before it? Paired by prompt, with 95 % bootstrap intervals
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest evaluation that has one before it.
-- SET VARIABLE other_run chooses the one to compare with; else the run that it judges again, or the one of its kind before it.
select * from compare_runs(needed_other_run(), chosen_later_run());
