-- Titles and years -> films. Built on titles/normalise.sql, titles/variants.sql and the tables of titles/keys.sql. Each step is a table macro
-- that takes the name of a table; the oracle runs the same steps, but looks keys up in memory instead of title_pairs.
--   resolve_titles('queries')  grain one distinct (title, year) of the table queries:
--     title, year, imdb_id, matched_title, matched_year, match_method, match_score (0..1); nulls where nothing was found
--
-- Score = how close the title is, less what the years are apart:
--   1.00 exact   0.99 the same words   0.97 normalised   0.95 but for a foreign article   (an alternative title: 0.02 less)
--   0.90 subtitle   0.89 the same words in another order   0.9 - slips / (2 * letters) fuzzy   (0.03 less a year)

-- The further the years are apart, the closer the title must be. With the same year, anything above will do. One year apart:
-- the same words, unless other films of this common title are near as well; normalised, where the title is not common, but
-- not without its foreign article ("Die Another Day" is in English). Two years apart, and where the film's year is not known:
-- the same words, not common. Common: see namesakes in titles/keys.sql.
-- A confirmed alias (closeness above 1) is under no condition but the two years.
create or replace macro year_allows(closeness, years_apart, common, contested) as case years_apart
    when 0 then true
    when 1 then closeness > 1 or closeness >= 0.99 and not (common and contested) or closeness >= 0.97 and not common
    when 2 then closeness > 1 or closeness >= 0.99 and not common
    else false end;

-- A title is common where at least one in fifty titles of its length have a namesake that near.
create or replace macro common_classes() as (select coalesce(list(word_class), []) from namesakes where share >= 0.02);

-- Slips (letters left out, put in, changed or swapped) that are let pass. A word that no title has is most likely a slip;
-- where all words are known ("Blood Honey", "Blood Money"), the title must be long.
create or replace macro slips_allowed(length, unknown_word, has_year) as case
    when not has_year and (not unknown_word or length < 8) then 0
    when unknown_word then if(length < 5, 0, least(3, (length + 2) // 6))
    else case when length < 12 then 0 when length < 20 then 1 else 2 end end;

create or replace macro digits(key) as regexp_replace(key, '\D', '', 'g');
create or replace macro short_keys(t) as list_transform(short_forms(t), lambda form: replace(form, ' ', ''));

-- How close two titles are that a key of this kind brought together; null where they only looked alike.
create or replace macro title_closeness(kind, title, key, words, found, found_key, found_words, slips, allowed) as case
    when kind = 'alias' then 2.0
    when title = found then 1.0
    when kind = 'key' and key = found_key then if(title_wording(title) = title_wording(found), 0.99, 0.97)
    when kind = 'bare' and (replace(without_foreign_article(words), ' ', '') = found_key
                            or replace(without_foreign_article(found_words), ' ', '') = key) then 0.95
    when kind = 'short' and (list_contains(short_keys(found), key) or list_contains(short_keys(title), found_key)) then 0.90
    when kind = 'order' and word_bag(words) = word_bag(found_words) then 0.89
    when kind = 'half' and slips <= allowed and digits(key) = digits(found_key)
        then 0.9 - slips / (2.0 * least(length(key), length(found_key))) end;

-- Step 1. queries(query, title, year), year null = not given -> the same, and what the next steps need.
create or replace macro title_queries(queries) as table
    with normalised as materialized (
        select query, title, year, normalise_title(title) as words from query_table(queries)
    ),
    with_unknown_word as (
        select distinct query from (select query, unnest(string_split(words, ' ')) as word from normalised)
        anti join known_words on key_hash(word) = word_hash
    )
    select *, replace(words, ' ', '') as key, query in (from with_unknown_word) as unknown_word,
           slips_allowed(length(replace(words, ' ', '')), query in (from with_unknown_word), year is not null) as allowed
    from normalised where words <> '';

-- Step 2. -> (query, kind, key_hash): the keys to look up. The kinds that title_closeness tells apart.
create or replace macro title_probes(queries) as table
    with probes as (
        select query, 'key' as kind, 'k' || key as key from query_table(queries)
        union all
        select query, 'bare', 'f' || key from query_table(queries)
        union all
        select query, 'short', 's' || key from query_table(queries)
        union all
        select query, 'short', 'k' || replace(unnest(short_forms(title)), ' ', '') from query_table(queries)
        union all
        select query, 'bare', 'k' || replace(unnest(bare_forms(words)), ' ', '') from query_table(queries)
        union all
        select query, 'order', 'b' || word_bag(words) from query_table(queries) where contains(words, ' ')
        union all
        select query, 'half', unnest(half_keys(key, n))
        from (select query, key, unnest(range(greatest(5, length(key) - allowed), length(key) + allowed + 1)) as n
              from query_table(queries) where allowed > 0)
    )
    select distinct query, kind, key_hash(key) as key_hash from probes;

-- Step 3. -> (query, kind, title_no, ...): the title forms found. In another year, only the first kinds count.
create or replace macro title_pairs(queries, probes) as table
    select query, kind, title_no, film_no, t.title as found, t.year as found_year, is_primary
    from (select query, kind, title_no from query_table(probes) join title_keys using (key_hash)
          union all from alias_pairs(queries))
    join title_index t using (title_no) join query_table(queries) q using (query)
    where kind in ('alias', 'key', 'bare') or q.year is null or q.year = t.year;

-- The films that confirmed aliases name.
create or replace macro alias_pairs(queries) as table
    select query, 'alias' as kind, title_no
    from query_table(queries) q join alias_index a on q.key = a.key and q.year is not distinct from a.year;

-- Step 4. -> the pairs with both keys, and with_slips: how many letters were left out, put in, changed, or swapped between
-- neighbours (99 = many). The oracle counts them itself.
create or replace macro worded_pairs(queries, pairs) as table
    select p.*, q.key, normalise_title(found) as found_words, replace(normalise_title(found), ' ', '') as found_key
    from query_table(pairs) p join query_table(queries) q using (query);

create or replace macro pairs_with_slips(pairs) as table
    select *, case when kind <> 'half' then null when levenshtein(key, found_key) > 6 then 99
              else damerau_levenshtein(key, found_key) end as slips
    from query_table(pairs);

-- Step 5. -> (query, title_no, closeness, years_apart, score, accepted, ...): every pair that is close at all, and whether
-- the years allow it. tier: what a title without a year is looked for among, in this order.
create or replace macro judged_pairs(queries, pairs) as table
    with close as (
        select query, title_no, film_no, is_primary, q.year is null as any_year,
               case when q.year is null then 0 when found_year is null then 2 else abs(found_year::integer - greatest(q.year, 0)) end as years_apart,
               title_closeness(kind, q.title, q.key, q.words, found, found_key, found_words, slips, allowed)
                   as title_closeness,
               list_contains(common_classes(), word_class(if(length(found_words) < length(q.words), found_words, q.words))) as common
        from query_table(pairs) join query_table(queries) q using (query)
    ),
    best_kind as (
        select * exclude title_closeness, max(title_closeness) as closeness
        from close where title_closeness is not null
        group by all
    ),
    -- Contested: more than one film of the title within 15 years of the year that is asked for.
    films_near as (
        select *, if(closeness >= 0.97 and years_apart <= 15, film_no, null) as near_film from best_kind
    )
    select * exclude near_film,
           min(near_film) over of_query <> max(near_film) over of_query as contested,
           least(1, closeness - if(is_primary, 0, 0.02) - 0.03 * years_apart) as score,
           year_allows(closeness, years_apart, common, coalesce(contested, false)) as accepted,
           case when closeness > 1 then 'alias'
                when closeness < 0.9 then 'fuzzy' when closeness < 0.95 then 'subtitle' when not is_primary then 'alternative'
                when closeness < 1 then 'normalised' else 'exact' end as method,
           case method when 'alias' then 0 when 'exact' then 1 when 'normalised' then if(closeness >= 0.99, 1, 2)
                when 'alternative' then 3 when 'subtitle' then 4 else 5 end as tier
    from films_near
    window of_query as (partition by query);

-- Step 6. -> (query, title_no, score, method, films): the match; where a title without a year fits several films, the best
-- title form of each of them, the first one first; all with the score of that one, shared among them. Where several films of the year are equally close to a title that is
-- none of theirs (a series without the name of the part), none of them is meant for certain: no match.
create or replace macro best_pairs(judged) as table
    with accepted_pairs as (
        select *, max(score) over (partition by query) as best_score from query_table(judged) where accepted
    ),
    untied as (
        select * exclude best_score,
               if(score = best_score and closeness < 0.95 and not any_year, film_no, null) as equally_close
        from accepted_pairs
        qualify max(equally_close) over (partition by query) is not distinct from min(equally_close) over (partition by query)
    ),
    of_best_tier as (
        select * exclude equally_close from untied
        qualify not any_year or tier = min(tier) over (partition by query)
    ),
    one_a_film as (
        select * from of_best_tier
        qualify row_number() over (partition by query, if(any_year, film_no, null) order by tier > 0, score desc, title_no) = 1
    )
    select query, title_no, count(*) over (partition by query) as films,
           max(one_a_film.score) over (partition by query) / films as score,
           if(films > 1, 'ambiguous', method) as method,
           row_number() over (partition by query order by tier > 0, one_a_film.score desc, title_no) as place
    from one_a_film;

-- All steps. -> (query, title, year, title_no, score, method, films, place), nulls where nothing was found.
create or replace macro title_matches(queries) as table
    with asked as materialized (
        select row_number() over () as query, title, year from (select distinct title, year::smallint as year from query_table(queries))
    ),
    prepared as materialized (from title_queries(asked)),
    probes as (from title_probes(prepared)),
    pairs as (from title_pairs(prepared, probes)),
    worded as materialized (from worded_pairs(prepared, pairs)),
    with_slips as materialized (from pairs_with_slips(worded)),
    judged as materialized (from judged_pairs(prepared, with_slips)),
    best as (from best_pairs(judged))
    select a.query, a.title, a.year, title_no, score, method, films, place from asked a left join best b using (query);

create or replace macro resolve_titles(queries) as table
    select m.title, m.year, imdb_id, t.title as matched_title, t.year as matched_year, method as match_method, score as match_score
    from title_matches(queries) m left join title_index t using (title_no)
    where place = 1 or place is null;
