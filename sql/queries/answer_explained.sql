-- Why was each rank of an answer rewarded as it was?
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- SET VARIABLE step, SET VARIABLE completion choose the answer; else the first of the newest step.
select step, completion, rank, sentence, r_total, advantage
from why(
    chosen_run(),
    chosen_step(),
    coalesce(getvariable('completion'), 0)
)
order by rank;
