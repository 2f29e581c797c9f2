-- Which verdicts changed when a run was judged again, and why?
-- SET VARIABLE run = '<run_id>' chooses a run that `log rejudge` made; else the newest evaluation that has one before it.
-- SET VARIABLE other_run chooses the run to compare with; else the one that it judges again, or that of its kind before it.
with before as (
    from verdicts where run_id = chosen_other_run()
),
after as (
    from verdicts where run_id = chosen_later_run()
)
select
    coalesce(a.step, b.step) as step, coalesce(a.completion, b.completion) as completion, coalesce(a.rank, b.rank) as rank,
    case
        when b.title is null then 'read now, not before'
        when a.title is null then 'read before, not now'
        when a.title <> b.title or a.year is distinct from b.year then 'another title is read at this rank'
        when a.imdb_id is distinct from b.imdb_id then 'another one is found: ' || coalesce(b.match_method, 'none') || ' before, '
            || coalesce(a.match_method, 'none') || ' now'
        when a.run_threshold <> b.run_threshold then 'another threshold: ' || b.run_threshold || ' before, ' || a.run_threshold || ' now'
        when a.max_risk is distinct from b.max_risk then 'another risk is known: ' || coalesce(b.max_risk::varchar, 'none')
            || ' before, ' || coalesce(a.max_risk::varchar, 'none') || ' now'
        else 'what is known of it changed'
    end as reason,
    b.title as title_before, a.title as title, b.matched_title as found_before, a.matched_title as found,
    b.status as status_before, a.status, a.violated_traits, a.unrated_traits
from after a full join before b using (step, completion, rank)
where (a.title, a.imdb_id, a.status) is distinct from (b.title, b.imdb_id, b.status)
order by (a.status is distinct from b.status) desc, step, completion, rank
limit 500;
