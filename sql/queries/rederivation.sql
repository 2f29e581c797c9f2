-- Can every reward of the newest step be derived again from the log? No rows: yes
-- SET VARIABLE run = '<run_id>' chooses the run; else the newest training run.
-- SET VARIABLE step chooses another; rederive('<run_id>') checks the whole run, more slowly.
select *
from rederive(chosen_run())
where step = case
    when getvariable('step') is not null then getvariable('step')
    else (select max(step) from rank_sums where run_id = chosen_run())
end and differs
order by completion, rank;
