-- Is this run better than the one before it? Paired by prompt, with 95 % bootstrap intervals
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- SET VARIABLE other_run chooses the one to compare with; else the run of the same kind before it.
select * from compare_runs(chosen_other_run(), chosen_run());
