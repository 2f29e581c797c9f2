-- grain: the step $step of the run $run. How many ranks with a title would be pushed otherwise. Built on what_if.
--   turned   it pushes, and would push the other way (turned_rate: their share)
--   silenced none where there was one; woken: the other way round
select
    count(*) as ranks,
    count(*) filter (is_pushed(advantage) and is_pushed(advantage_if) and sign(advantage) <> sign(advantage_if)) as turned,
    turned / nullif(ranks, 0) as turned_rate,
    count(*) filter (is_pushed(advantage) and not is_pushed(advantage_if)) as silenced,
    count(*) filter (not is_pushed(advantage) and is_pushed(advantage_if)) as woken
from what_if(
    $run, new_lambda := $lambda, new_penalty := $penalty, new_threshold := $threshold, new_unresolved := $unresolved,
    new_unrated := $unrated, new_weights := map($own::varchar[], $weights::double[]),
    step_number := $step
)
where title is not null and advantage is not null;
