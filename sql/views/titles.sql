-- Titles that the oracle could not place, or placed with doubt. Built on verdicts.

-- A match is doubtful when its score is below 0.95 (sql/titles/rules.sql has what scores are made of): a slip, a shorter or reordered
-- title, two years apart, several films of that title. Another title of the film alone, or one year apart, is not.
create or replace macro is_doubtful(match_method, match_score) as
    match_method is not null and coalesce(match_score, 1) < 0.95;

-- Where the halves of a run's steps part, which have as many steps: before it and behind it, so that the middle one of an odd number is
-- in neither. null: there are fewer than two steps, and no halves.
create or replace macro middle_step(step) as case when count(distinct step) > 1 then median(distinct step) end;

-- grain: run x title and year as written, not found. In the top K and beyond.
--   times, lists     occurrences, completions with it; first_step, last_step
--   early, late      occurrences in the first and second half of the run's steps (see middle_step); trend = late - early: a title that
--                    a policy learns to write because nothing is known of it has a large one. null: there are no halves
create or replace view unresolved_titles as
with halfway as (
    select run_id, middle_step(step) as middle from rank_sums group by run_id
)
select
    run_id,
    title,
    year,
    count(*) as times,
    count(distinct (step, completion)) as lists,
    min(step) as first_step,
    max(step) as last_step,
    case when middle is not null then count(*) filter (step < middle) end as early,
    case when middle is not null then count(*) filter (step > middle) end as late,
    late - early as trend
from verdicts join halfway using (run_id)
where title is not null and match_method is null
group by run_id, title, year, middle;

-- grain: run x title and year as written x film it was taken for, with doubt, and how.
--   times, violations   occurrences, beyond rank K too, and those in the top K that count as violations, for the film that it was taken
--                       for: known to be unsafe, or not rated where the run's policy is violation
create or replace view doubtful_titles as
select
    run_id,
    title,
    year,
    imdb_id,
    matched_title,
    matched_year,
    match_method,
    min(match_score) as match_score,
    count(*) as times,
    count(*) filter (not is_safe and rank <= run_k) as violations
from verdicts
where is_doubtful(match_method, match_score)
group by all;
