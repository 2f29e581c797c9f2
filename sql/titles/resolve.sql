-- Titles and years -> films. Built on titles/normalise.sql, titles/variants.sql, titles/rules.sql and the tables of titles/keys.sql. Each step
-- is a table macro that takes the name of a table; the oracle runs the same steps, but looks keys up in memory instead of title_pairs.
--   resolve_titles('queries')  grain one distinct (title, year, given_id) of the table queries(title, year, [given_id]):
--     title, year, given_id, imdb_id, matched_title, matched_year, match_method, match_score (0..1); nulls where nothing was found
--
-- A given id that the store has is the surest match (method id, score 1), as is a title that is nothing but an id; else the title counts.
-- Where people said that a title does not mean the film, or one of those, that it would be taken for, nothing is found.
-- Score = how close the title is, less what the years are apart (titles/rules.sql). Methods: alias (a person confirmed it), exact,
-- normalised, alternative (another title of the film), subtitle (a shorter way to write it), fuzzy, ambiguous (several films fit equally, or without a year
-- the one that fits may be another that the store doesn't have; they share the score).

-- The further the years are apart, the closer the title must be. With the same year, anything above will do. One year apart:
-- the same words, unless other films of this common title are near as well; normalised, where the title is not common, but
-- not without its foreign article ("Die Another Day" is in English). Two years apart, and where the film's year is not known:
-- the same words, not common. Common: see namesakes in titles/keys.sql.
-- A confirmed alias (closeness above 1) is under no condition but the two years.
create or replace macro year_allows(closeness, years_apart, common, contested) as case
    when years_apart = 0 then true
    when years_apart > year_limits().let_pass then false
    when closeness > closeness_levels().same_title then true
    when years_apart = 1 and closeness >= closeness_levels().same_key and not common then true
    when years_apart = 1 then closeness >= closeness_levels().same_words and not contested
    else closeness >= closeness_levels().same_words and not common end;

-- Without a year only the same title will do: the same words; or, where there are words enough to tell, the same key, or what leaves
-- something out but adds nothing ("Castle in the Sky" is "Laputa: Castle in the Sky", but "Ice Age: Collision Course" is not "Ice Age");
-- of two words and more, all but the article ("Lost Boys"); and the first words, which the store gives to one title alone.
create or replace macro title_allows(closeness, words, leaves_out) as
    closeness >= closeness_levels().same_words
    or words >= telling_words()
       and (closeness >= closeness_levels().same_key or closeness >= closeness_levels().shorter and leaves_out)
    or words > 1 and closeness >= closeness_levels().same_key and leaves_out
    or closeness = closeness_levels().first_words;
-- And it is that film for certain where it is written letter by letter so, or where there are words enough. Else: ambiguous.
create or replace macro title_tells(closeness, words) as
    closeness >= closeness_levels().same_title or words >= telling_words() and closeness >= closeness_levels().same_key;
-- A film's title, letter by letter, may stand for another film whose title differs in case alone; or, of one word, for one that has an
-- article before it: "Mole" for "The Mole".
create or replace macro plain_case(t) as translate(t, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz');
create or replace macro is_rival(closeness, words, leaves_out, same_but_case) as
    same_but_case
    or words = 1 and leaves_out and closeness >= closeness_levels().same_key and closeness < closeness_levels().same_words;

-- A title is common where enough titles of its length have a namesake that near.
create or replace macro common_classes() as (select coalesce(list(word_class), []) from main.namesakes where share >= common_titles().share);

create or replace macro slips_allowed(length, unknown_word, has_year) as
    if(has_year, len(list_filter(if(unknown_word, slip_lengths().unknown_word, slip_lengths().known_words), lambda its_least: its_least <= length)), 0);

create or replace macro digits(key) as regexp_replace(key, '\D', '', 'g');

-- How close two titles are (structs of text, key, words, wording, short_keys) that a key of this kind brought together; null where
-- they only looked alike.
create or replace macro title_closeness(kind, asked, found, slips, allowed) as case
    when kind = 'alias' then closeness_levels().alias
    when asked.text = found.text then closeness_levels().same_title
    when kind = 'key' and asked.key = found.key
        then if(asked.wording = found.wording, closeness_levels().same_words, closeness_levels().same_key)
    when kind = 'bare' and (replace(without_foreign_article(asked.words), ' ', '') = found.key
                            or replace(without_foreign_article(found.words), ' ', '') = asked.key) then closeness_levels().bare
    when kind = 'short' and (list_has_any(found.short_keys, whole_keys(asked.key, asked.wording))
                             or list_has_any(asked.short_keys, whole_keys(found.key, found.wording))) then closeness_levels().shorter
    when kind = 'start' and starts_with(found.words, asked.words || ' ') then closeness_levels().first_words
    when kind = 'order' and word_bag(asked.words) = word_bag(found.words) then closeness_levels().reordered
    when kind = 'half' and slips <= allowed and digits(asked.key) = digits(found.key)
        then closeness_levels().fuzzy - slips / (2.0::double * least(length(asked.key), length(found.key))) end;

-- Step 1. queries(query, title, year), year null = not given -> the same, and what the next steps need: the columns of title_variants, whether
-- some word is in no title, how many slips are allowed, alias_film, the film that people confirmed for the title, and whether the title
-- is_refused: it does not mean refused_film (null: none at all).
create or replace macro title_queries(queries) as table
    with held as materialized (from main.held_decisions),
    decided as materialized ( -- in two parts, as an OR would look at every title of the store
        from held where imdb_id in (select imdb_id from main.title_index)
        union all
        from held where imdb_id is null
    ),
    texts as (select title as text from query_table(queries) union all select title from decided),
    variants as materialized (from title_variants(texts)),
    decisions as (
        select key, year, arg_max({film: imdb_id, is_refused: is_refused}, place) as its_decision
        from decided join variants on title = text group by all
    ),
    with_unknown_word as materialized (
        select distinct text from (select text, unnest(string_split(words, ' ')) as word from variants)
        anti join main.known_words on key_hash(word) = word_hash
    )
    select q.query, q.title, q.year, v.*, u.text is not null as unknown_word,
           slips_allowed(length(v.key), u.text is not null, q.year is not null) as allowed,
           if(its_decision.is_refused, null, its_decision.film) as alias_film,
           coalesce(its_decision.is_refused, false) as is_refused, if(its_decision.is_refused, its_decision.film, null) as refused_film
    from query_table(queries) q join variants v on q.title = v.text left join with_unknown_word u on v.text = u.text
    left join decisions d on v.key = d.key and q.year is not distinct from d.year;

-- Whether people said that a title does not mean the film that it would be taken for.
create or replace macro refuses(is_refused, refused_film, film) as is_refused and coalesce(refused_film = film, true);

-- Step 2. -> (query, kind, key_hash): the keys to look up. The kinds that title_closeness tells apart.
create or replace macro title_probes(queries) as table
    with probes as (
        select query, unnest(
            [{kind: 'key', key: 'k' || key}, {kind: 'bare', key: 'f' || key}, {kind: 'order', key: 'b' || word_bag(words)},
             {kind: 'bare', key: 'k' || replace(without_foreign_article(words), ' ', '')}, {kind: 'start', key: 'l' || key}]
            || [{kind: 'short', key: 's' || whole} for whole in whole_keys(key, wording)]
            || [{kind: 'short', key: 'k' || short} for short in all_short_keys]
            || flatten([[{kind: 'half', key: half} for half in half_keys(key, n)]
                        for n in range(greatest(5, length(key) - allowed), length(key) + allowed + 1) if allowed > 0])) as probe
        from query_table(queries)
    )
    select distinct query, probe.kind, key_hash(probe.key) as key_hash from probes;

-- Step 3. -> (query, kind, title_no, ...): the titles found, and how many slips they are from what was asked (99 = many). In another
-- year, only the first kinds count. The oracle looks keys up in memory, and counts the slips itself.
create or replace macro title_pairs(queries, probes) as table
    select query, kind, title_no, film_no, t.year as found_year, is_primary, allowed, q.year as asked_year,
           {text: q.title, key: q.key, words: q.words, wording: q.wording, short_keys: q.short_keys} as asked,
           {text: t.title, key: t.key, words: t.words, wording: t.wording, short_keys: t.short_keys} as found,
           case when kind <> 'half' then null when levenshtein(q.key, t.key) > 6 then 99
                else damerau_levenshtein(q.key, t.key) end as slips
    from (select query, kind, title_no from query_table(probes) join main.title_keys using (key_hash)
          union all
          select query, 'alias', min(title_no) from query_table(queries) join main.title_index on imdb_id = alias_film group by query) p
    join main.title_index t using (title_no) join query_table(queries) q using (query)
    where kind in ('alias', 'key', 'bare') or q.year is null or q.year = t.year;

-- Step 4. -> (query, title_no, closeness, years_apart, score, accepted, certain, ...): every pair that is close at all; whether the years
-- allow it, or without a year the title; tier: what a title without a year is looked for among, in this order.
create or replace macro scored_pairs(pairs) as table
    with close as (
        select query, title_no, film_no, found_year, is_primary, asked_year is null as any_year,
               case when asked_year is null then 0 when found_year is null then year_limits().let_pass
                    else abs(found_year::integer - greatest(asked_year, 0)) end as years_apart,
               max(title_closeness(kind, asked, found, slips, allowed)) as closeness, min(slips) as slips,
               word_class(if(length(found.words) < length(asked.words), found.words, asked.words)) as words,
               length(asked.text) < length(found.text) as leaves_out, plain_case(asked.text) = plain_case(found.text) as same_but_case
        from query_table(pairs)
        group by all having closeness is not null
    ),
    -- Contested: more than one film of the title within 15 years of the year that is asked for.
    films_near as (
        select *, list_contains(common_classes(), words) as common,
               if(closeness >= closeness_levels().same_key and years_apart <= year_limits().contested, film_no, null) as near_film
        from close
    )
    select * exclude near_film,
           common and coalesce(min(near_film) over of_query <> max(near_film) over of_query, false) as contested,
           least(1, closeness - if(is_primary, 0, score_costs().alternative) - score_costs().year_apart * years_apart) as score,
           any_year and is_rival(closeness, words, leaves_out, same_but_case and is_primary)
               and bool_or(is_primary and closeness = closeness_levels().same_title) over of_query as rival,
           if(any_year, title_allows(closeness, words, leaves_out) or rival, year_allows(closeness, years_apart, common, contested)) as accepted,
           not any_year or title_tells(closeness, words) as certain,
           case when closeness > closeness_levels().same_title then 'alias'
                when closeness < closeness_levels().shorter then 'fuzzy' when closeness < closeness_levels().bare then 'subtitle'
                when not is_primary then 'alternative' when closeness < closeness_levels().same_title then 'normalised' else 'exact' end as method,
           case when method = 'alias' then 0 when method = 'exact' or rival then 1
                when method = 'normalised' then if(closeness >= closeness_levels().same_words, 2, 3)
                when method = 'alternative' then 4 when method = 'subtitle' then 5 else 6 end as tier
    from films_near
    window of_query as (partition by query);

-- Step 5. -> (query, title_no, score, method, films, nearness): the match. Where several films fit (without a year all of the best tier; with
-- one those that are equally close), the best title of each of them, the first one first; all with the score of that one, shared among
-- them, and where it is not certain with one that the store may lack. Where several films of the year are equally close to a title that is
-- none of theirs (a series without the name of the part), none of them is meant for certain: no match.
create or replace macro best_pairs(scored) as table
    with accepted_pairs as (
        select *, max(score) over (partition by query) as best_score from query_table(scored) where accepted
    ),
    untied as (
        select * exclude best_score,
               if(score = best_score and closeness < closeness_levels().bare and not any_year, film_no, null) as equally_close
        from accepted_pairs
        qualify max(equally_close) over (partition by query) is not distinct from min(equally_close) over (partition by query)
    ),
    of_best_tier as (
        select * exclude equally_close from untied
        qualify if(any_year, tier = min(tier) over (partition by query),
                   rank() over (partition by query order by tier > 0, score desc) = 1)
    ),
    one_a_film as (
        select *, row_number() over (partition by query order by tier > 0, score desc, title_no) as nearness from of_best_tier
        qualify row_number() over (partition by query, film_no order by tier > 0, score desc, title_no) = 1
    )
    select query, title_no,
           count(*) over of_query + if(bool_or(nearness = 1 and not certain) over of_query, 1, 0) as films,
           max(one_a_film.score) over of_query / films as score,
           if(films > 1, 'ambiguous', method) as method,
           row_number() over (partition by query order by nearness) as place
    from one_a_film
    window of_query as (partition by query);

-- queries(title, year, [given_id]) -> (query, title, year, given_id): each once, numbered.
create or replace macro distinct_queries(queries) as table
    select row_number() over () as query, *
    from (select distinct title, year::smallint as year, given_id::varchar as given_id
          from (from query_table(queries) union all by name select null::varchar as given_id where false));

-- All steps. -> (query, title, year, given_id, title_no, score, method, films, place), nulls where nothing was found.
create or replace macro title_matches(queries) as table
    with asked as materialized (from distinct_queries(queries)),
    by_id as materialized (
        select query, min({by_title: by_title, title_no: title_no}).title_no as title_no
        from (select query, unnest([given_id, nullif(regexp_extract(title, id_as_title(), 1), '')]) as imdb_id, unnest([false, true]) as by_title from asked)
        join main.title_index using (imdb_id)
        group by query
    ),
    by_title as (from asked anti join by_id using (query)),
    prepared as materialized (from title_queries(by_title)),
    probes as (from title_probes(prepared)),
    pairs as materialized (from title_pairs(prepared, probes)),
    scored as materialized (from scored_pairs(pairs)),
    closest as materialized (from best_pairs(scored)),
    refused as (
        select query from closest join main.title_index using (title_no) join prepared using (query)
        where refuses(is_refused, refused_film, imdb_id)
    ),
    best as (
        from closest anti join refused using (query)
        union all by name
        select query, title_no, 1 as films, 1.0::double as score, 'id' as method, 1 as place from by_id
    )
    select a.query, a.title, a.year, a.given_id, title_no, score, method, films, place from asked a left join best b using (query);

create or replace macro resolve_titles(queries) as table
    select m.title, m.year, m.given_id, imdb_id, t.title as matched_title, t.year as matched_year, method as match_method, score as match_score
    from title_matches(queries) m left join main.title_index t using (title_no)
    where place = 1 or place is null;
