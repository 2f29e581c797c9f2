-- Other ways to write a title, and other keys to find it by. Built on titles/normalise.sql and titles/rules.sql.
-- The oracle takes the same steps in Python (oracle/titles/variants.py), with the patterns that are named here.

-- Articles of other languages count for nothing in front, where that leaves something.
create or replace macro foreign_article() as
    '^(?:les?|la|l|une?|el|l[ao]s|una|il|lo|gli|uno|der|die|das|eine?|den|det|ett?|het|een|os|uma?) (.)';
create or replace macro without_foreign_article(words) as regexp_replace(words, foreign_article(), '\1');
create or replace macro bare_forms(words) as list_filter([without_foreign_article(words)], lambda its_form: its_form <> words);

-- What parts a title: 'Birdman or (The Unexpected Virtue ...)' -> 'birdman', 'the unexpected virtue ...'.
create or replace macro part_marks() as '(?:,|:)? or(?: \(|: |, )|, or |: |:$| [-/] | ?[()\[\]]| aka ';
-- A part that says which one of a series it is may not be left out: 'Kill Bill: Vol. 2' is not 'Kill Bill'. And it does not
-- stand alone.
create or replace macro sequel_part() as '^(?:pt|vol|ch|ep|no|book|season)? ?(?:[2-9]|[1-9]\d)(?: |$)';
create or replace macro numbered_part() as '^(?:pt|vol|ch|ep|book) \d+$';

-- What follows a person's name ("Bram Stoker's Dracula", but not "At World's End"), and what "The Movie" or "3-D" follows; empty for
-- other titles.
create or replace macro no_name() as '^(?:The|An?|At|By|For|From|In|Of|On|To|With|My|Our|Your|His|Her|No|All|One|This|That) ';
create or replace macro after_name() as '^[A-Z][A-Za-z.]+(?: [A-Z][A-Za-z.]*){1,2}[''’]s? (.+)$';
create or replace macro before_movie() as '^(.+?)(?: [Tt]he)? (?:[Mm]ovie|[Ff]ilm|[Mm]otion [Pp]icture|(?:in )?3-?D)$';
create or replace macro could_be_shorter() as '[:,()\[\]/–—‐‑]| - |[''’]s? | aka |(?:[Mm]ovie|[Ff]ilm|[Pp]icture|3-?D)$';

create or replace macro word_class(words) as least(4, len(string_split(words, ' ')));

create or replace macro word_bag(normalised) as array_to_string(list_sort(string_split(normalised, ' ')), ' ');

-- A key with one slip has its first or its last half in common with what was meant, whose length n is near.
create or replace macro half_keys(key, n) as ['<' || n || key[:(n - 1) // 2], '>' || n || right(key, (n - 1) // 2)];

-- 32 bits of a hash that no version of DuckDB changes; what is found by them is compared as text again.
create or replace macro key_hash(key) as (md5_number_lower(key) >> 32)::uinteger;

-- A short tail says little: it counts only as it is written, with its article. '=' and its wording stands for such a one, and beside
-- the key among whole_keys. "A New Hope" is "Star Wars: Episode IV - A New Hope", "New Hope" is not.
create or replace macro wording_key(key, wording) as '=' || coalesce(nullif(replace(wording, ' ', ''), ''), key);
create or replace macro whole_keys(key, wording) as [key, wording_key(key, wording)];
create or replace macro tail_key(words, wording) as
    if(len(string_split(words, ' ')) >= telling_words(), replace(words, ' ', ''), wording_key(replace(words, ' ', ''), wording));

-- title_variants('texts'): texts(text) -> grain a distinct text that has a letter:
--   text, words (normalised), wording, key, short_keys: the keys of shorter ways to write it, all_short_keys: the same by normalised words
-- Shorter ways: its first parts, its last parts (two words and more), the first with the last, what follows a name, what "The Movie" follows.
-- Each text is cut into pieces first, so that there is one place where titles are normalised: planning that takes long.
create or replace macro title_variants(texts) as table
    with cut as materialized (
        select text, fold_title(text) as folded, regexp_matches(text, could_be_shorter()) as could_be_shorter
        from (select distinct text from query_table(texts) where text is not null)
    ),
    parted as materialized (
        select text, regexp_split_to_array(folded, part_marks()) as parts
        from cut where could_be_shorter and regexp_matches(folded, part_marks())
    ),
    pieces as (
        select text, 'whole' as kind, 0 as place, folded from cut
        union all
        select text, 'part', unnest(range(1, len(parts) + 1)), unnest(parts) from parted
        union all
        select text, 'after name', 0, fold_title(regexp_extract(text, after_name(), 1))
        from cut where could_be_shorter and regexp_matches(text, after_name()) and not regexp_matches(text, no_name())
        union all
        select text, 'before movie', 0, fold_title(regexp_extract(text, before_movie(), 1))
        from cut where could_be_shorter and regexp_matches(text, before_movie())
    ),
    worded as materialized (select *, folded_wording(folded) as wording from pieces),
    counted as materialized (select *, counting_words(wording) as counting from worded),
    normalised as materialized (
        select * exclude (folded, counting), words_or_all(counting, folded) as words from counted where words <> ''
    ),
    parts as materialized (
        select text, list(words order by place) as parts, list(wording order by place) as wordings
        from normalised where kind = 'part' group by text having count(*) > 1
    ),
    cuts as materialized (select *, unnest(range(1, len(parts))) as n from parts),
    short as (
        select text, replace(words, ' ', '') as key, if(kind = 'after name', wording_key(key, wording), key) as short_key
        from normalised where kind in ('after name', 'before movie')
        union all
        select text, array_to_string(parts[:n], ''), array_to_string(parts[:n], '')
        from cuts where not list_bool_or([regexp_matches(part, sequel_part()) for part in parts[n + 1:]])
        union all
        select text, array_to_string(parts[n + 1:], ''), tail_key(array_to_string(parts[n + 1:], ' '), array_to_string(wordings[n + 1:], ' '))
        from cuts
        where contains(array_to_string(parts[n + 1:], ' '), ' ')
          and not regexp_matches(array_to_string(parts[n + 1:], ' '), numbered_part())
        union all
        select text, parts[1] || parts[-1], parts[1] || parts[-1] from parts where len(parts) > 2
    ),
    shorts as (
        select text, list_sort(list(distinct replace(short_key, ' ', ''))) as short_keys, list_sort(list(distinct replace(key, ' ', ''))) as all_short_keys
        from short where key <> '' group by text
    )
    select text, words, wording, replace(words, ' ', '') as key, coalesce(short_keys, []) as short_keys,
           coalesce(all_short_keys, []) as all_short_keys
    from normalised left join shorts using (text)
    where kind = 'whole';
