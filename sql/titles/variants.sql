-- Other ways to write a title, and other keys to find it by. Built on titles/normalise.sql.
-- The oracle takes the same steps in Python (oracle/titles/variants.py), with the patterns that are named here.

-- Articles of other languages count for nothing in front, where that leaves something.
create or replace macro foreign_article() as
    '^(?:les?|la|l|une?|el|l[ao]s|una|il|lo|gli|uno|der|die|das|eine?|den|det|ett?|het|een|os|uma?) (.)';
create or replace macro without_foreign_article(words) as regexp_replace(words, foreign_article(), '\1');
create or replace macro bare_forms(words) as list_filter([without_foreign_article(words)], lambda form: form <> words);

-- The parts of a title: 'Birdman or (The Unexpected Virtue ...)' -> ['birdman', 'unexpected virtue ...'].
create or replace macro part_marks() as '(?:,|:)? or(?: \(|: |, )|, or |: |:$| [-/] | ?[()\[\]]| aka ';
create or replace macro title_parts(t) as list_transform([fold_title(t)], lambda folded:
    if(regexp_matches(folded, part_marks()),
       list_filter(list_transform(regexp_split_to_array(folded, part_marks()), lambda part: normalise_title(part)),
                   lambda part: part <> ''),
       []))[1];

-- A part that says which one of a series it is may not be left out: 'Kill Bill: Vol. 2' is not 'Kill Bill'. And it does not
-- stand alone.
create or replace macro sequel_part() as '^(?:pt|vol|ch|ep|no|book|season)? ?(?:[2-9]|[1-9]\d)(?: |$)';
create or replace macro numbered_part() as '^(?:pt|vol|ch|ep|book) \d+$';

-- What follows a person's name ("Bram Stoker's Dracula"), and what "The Movie" or "3-D" follows; empty for other titles.
create or replace macro after_name() as '^[A-Z][A-Za-z.]+(?: [A-Z][A-Za-z.]*){1,2}[''’]s? (.+)$';
create or replace macro before_movie() as '^(.+?)(?: [Tt]he)? (?:[Mm]ovie|[Ff]ilm|[Mm]otion [Pp]icture|(?:in )?3-?D)$';

-- Shorter ways to write a title: its first parts, its last parts (two words and more), the first with the last, those two.
create or replace macro first_parts(parts) as
    [array_to_string(parts[:i], ' ') for i in range(1, len(parts))
     if not list_bool_or([regexp_matches(part, sequel_part()) for part in parts[i + 1:]])];
create or replace macro last_parts(parts) as
    [words for words in [array_to_string(parts[i:], ' ') for i in range(2, len(parts) + 1)]
     if contains(words, ' ') and not regexp_matches(words, numbered_part())];
create or replace macro could_be_shorter() as '[:,()\[\]/–—‐‑]| - |[''’]s? | aka |(?:[Mm]ovie|[Ff]ilm|[Pp]icture|3-?D)$';
create or replace macro short_forms(t) as if(regexp_matches(t, could_be_shorter()),
    list_transform([title_parts(t)], lambda parts: list_filter(
        first_parts(parts) || last_parts(parts) || if(len(parts) > 2, [parts[1] || ' ' || parts[-1]], [])
        || [if(form = '', '', normalise_title(form)) for form in [regexp_extract(t, after_name(), 1), regexp_extract(t, before_movie(), 1)]],
        lambda words: words <> ''))[1],
    []);

create or replace macro word_class(words) as least(4, len(string_split(words, ' ')));

create or replace macro word_bag(normalised) as array_to_string(list_sort(string_split(normalised, ' ')), ' ');

-- A key with one slip has its first or its last half in common with what was meant, whose length n is near.
create or replace macro half_keys(key, n) as ['<' || n || key[:(n - 1) // 2], '>' || n || right(key, (n - 1) // 2)];

-- 32 bits of a hash that no version of DuckDB changes; what is found by them is compared as text again.
create or replace macro key_hash(key) as (md5_number_lower(key) >> 32)::uinteger;
