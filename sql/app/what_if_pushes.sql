-- grain: the step $step of the run $run. How many ranks with a title would be pushed otherwise. Built on what_if.
--   turned   the advantage has another sign (turned_rate: their share)
--   silenced none where there was one; woken: the other way round
select
    count(*) as ranks,
    count(*) filter (sign(advantage) * sign(advantage_if) < 0) as turned,
    turned / nullif(ranks, 0) as turned_rate,
    count(*) filter (abs(advantage) > 1e-9 and abs(advantage_if) <= 1e-9) as silenced,
    count(*) filter (abs(advantage) <= 1e-9 and abs(advantage_if) > 1e-9) as woken
from what_if(
    $run, new_lambda := $lambda, new_penalty := $penalty, new_threshold := $threshold, new_unresolved := $unresolved,
    new_unrated := $unrated, new_weights := map($own::varchar[], $weights::double[]),
    step_number := $step
)
where title is not null and advantage is not null;
