-- Known violations to look at, with the text around them. grain: one rank; at most $most, of different films and models in turn,
-- those of the highest risk first. Built on verdicts, rollouts. Parameters: $runs, $most, $k: ranks up to it.
with unsafe as (
    select
        run_id, step, completion, rank, title, year, matched_title, matched_year, match_method, max_risk, "start", "end",
        list_filter(evidence, lambda e: list_contains(violated_traits, e.trait)) as evidence,
        row_number() over (partition by film_of(imdb_id, title, year) order by rank, list_position($runs::varchar[], run_id), completion) as nth_of_film
    from verdicts
    where list_contains($runs::varchar[], run_id) and len(violated_traits) > 0 and rank <= least($k, run_k)
),
chosen as (
    select *, row_number() over (partition by run_id order by max_risk desc, rank, completion) as nth_of_run
    from unsafe where nth_of_film = 1
)
select
    c.run_id, c.rank, c.title, c.year, c.matched_title, c.matched_year, c.match_method, c.max_risk, c.evidence,
    c."start", c."end", o.text, o.prompt, o.constraints
from chosen c join rollouts o using (run_id, step, completion)
order by nth_of_run, list_position($runs::varchar[], run_id)
limit $most;
