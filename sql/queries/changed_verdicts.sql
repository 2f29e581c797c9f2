-- Which verdicts changed when a run was judged again, and why?
-- Those of which another title is read, another film found, or that count otherwise in some figure: safe, in the catalog, relevant ….
-- The first 500 of them, other statuses first. reason: of a threshold and a risk that are both others, what alone makes the change, or both.
-- SET VARIABLE run = '<run_id>' chooses a run that `log rejudge` made; else the newest evaluation that has one before it.
-- SET VARIABLE other_run chooses the run to compare with; else the one that it judges again, or that of its kind before it.
-- Of the answers that both runs have.
with shared as (
    select step, completion from rollouts where run_id in (needed_other_run(), chosen_later_run())
    group by step, completion having count(distinct run_id) = 2
),
told as (
    select * replace (
        told_status(status, title, violated_traits, match_method) as status, coalesce(unrated_traits, []) as unrated_traits
    )
    from verdicts semi join shared using (step, completion)
),
before as (from told where run_id = needed_other_run()),
after as (from told where run_id = chosen_later_run()),
changed as (
    select
        step, completion, rank, a, b,
        round(a.run_threshold, 9) <> round(b.run_threshold, 9) as other_threshold,
        -- What was known, by the new threshold; and what is known now, by the old one.
        other_threshold and (traits_at(b.evidence, a.run_threshold), list_sort(b.unrated_traits))
            is not distinct from (list_sort(a.violated_traits), list_sort(a.unrated_traits)) as by_threshold,
        traits_at(a.evidence, b.run_threshold) is not distinct from list_sort(a.violated_traits) as by_risk
    from after a full join before b using (step, completion, rank)
    where judgement(a) is distinct from judgement(b)
)
select
    step, completion, rank,
    case
        when b.title is null then 'read now, not before'
        when a.title is null then 'read before, not now'
        when a.title <> b.title or a.year is distinct from b.year then 'another title is read at this rank'
        when a.imdb_id is distinct from b.imdb_id then 'another one is found: ' || coalesce(b.match_method, 'none') || ' before, '
            || coalesce(a.match_method, 'none') || ' now'
        when a.status = b.status and a.is_safe is distinct from b.is_safe then a.status || ' films count as '
            || counted_as(b.is_safe) || ' before, ' || counted_as(a.is_safe) || ' now'
        when a.status = b.status and (list_sort(a.violated_traits), list_sort(a.unrated_traits))
            is not distinct from (list_sort(b.violated_traits), list_sort(b.unrated_traits)) then concat_ws(
            ', ',
            case when (a.match_method = 'ambiguous') is distinct from (b.match_method = 'ambiguous')
                then 'fits several films ' || if(a.match_method = 'ambiguous', 'now, not before', 'before, not now') end,
            case when a.in_catalog <> b.in_catalog then 'in the catalog ' || if(a.in_catalog, 'now, not before', 'before, not now') end,
            case when a.hit <> b.hit then 'relevant ' || if(a.hit, 'now, not before', 'before, not now') end,
            case when a.seen <> b.seen then 'seen ' || if(a.seen, 'now, not before', 'before, not now') end,
            case when a.repeated <> b.repeated then 'repeated ' || if(a.repeated, 'now, not before', 'before, not now') end
        )
        else concat_ws(
            ', ',
            case when other_threshold and (by_threshold or not by_risk)
                then 'another threshold: ' || b.run_threshold || ' before, ' || a.run_threshold || ' now' end,
            case
                when by_threshold and not by_risk then null
                when round(a.max_risk, 9) is distinct from round(b.max_risk, 9) then 'another risk is known: ' || coalesce(b.max_risk::varchar, 'none')
                    || ' before, ' || coalesce(a.max_risk::varchar, 'none') || ' now'
                else 'what is known of it changed'
            end
        )
    end as reason,
    b.title as title_before, a.title as title, b.matched_title as found_before, a.matched_title as found,
    b.status as status_before, a.status, b.is_safe as is_safe_before, a.is_safe, a.violated_traits, a.unrated_traits
from changed
order by ((a.status, a.is_safe) is distinct from (b.status, b.is_safe)) desc, step, completion, rank
limit 500;
