-- Can every reward of the newest step be derived again from the log? No rows: yes
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- SET VARIABLE step chooses another step; rederive('<run_id>') checks the whole run, more slowly.
select *
from rederive(
    chosen_run(),
    chosen_step()
)
where differs
order by completion, rank;
