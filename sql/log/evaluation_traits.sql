-- Violations by trait. grain: run x prompt x trait that the prompt wants avoided x K. Built on verdicts, rollouts, run_shape.
-- Parameters as in evaluation_totals.sql.
--   films         emitted in the top K by the answers under this constraint; violations: those that violate this trait
with judged as (
    select
        run_id, step, completion, violated_traits,
        row_number() over (partition by run_id, step, completion order by rank) as position
    from verdicts
    where list_contains($runs::varchar[], run_id) and title is not null
        and ($positions = 'emitted' or (in_catalog and not seen))
),
asked as (
    select run_id, step, completion, prompt_id, rec_num, unnest(list_distinct(constraints)) as trait
    from rollouts join run_shape using (run_id)
    where list_contains($runs::varchar[], run_id)
)
select
    run_id, prompt_id, trait, k,
    count(*) filter (position <= least(k, rec_num)) as films,
    count(*) filter (position <= least(k, rec_num) and list_contains(violated_traits, trait)) as violations
from asked left join judged using (run_id, step, completion) cross join (select unnest([5, 10, 15, 20]) as k)
group by run_id, prompt_id, trait, k
order by run_id, prompt_id, trait, k;
