-- Which runs are there?
-- Newest first, with the number of their finished steps.
select r.run_id, r.kind, r.model, r.dataset, count(distinct s.step) as steps, max(s.step) as last_step,
    date_trunc('second', max(r.started_at)) as started_at
from runs r left join rank_sums s using (run_id)
group by all
order by run_order(max(r.started_at), any_value(r.run_id)) desc;
