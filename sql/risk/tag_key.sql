-- When two wordings are one content tag. Built on nothing.
-- tag_key('Does the dog die?') = tag_key('a dog dies') = 'dog die': without case, punctuation, question form and endings.
-- A "not" stays: 'the dog does not die' is another tag.

create or replace macro tag_words(t) as string_split(trim(regexp_replace(
    replace(replace(lower(strip_accents(t)), '’', ''''), 'n''t', ' not'), '[^\p{L}\p{N}]+', ' ', 'g')), ' ');
create or replace macro empty_words() as
    ['a', 'an', 'the', 'any', 'does', 'do', 'is', 'are', 'was', 'were', 'there', 'it', 's', 'being'];
create or replace macro word_stem(word) as case
    when word = 'has' then 'have'
    when regexp_matches(word, '(ss|sh|ch|x)es$') then word[:-3]
    when length(word) > 3 and regexp_matches(word, '[^s]s$') then word[:-2]
    else word end;
create or replace macro tag_key(t) as coalesce(
    nullif(array_to_string(list_transform(
        list_filter(tag_words(t), lambda word: not list_contains(empty_words(), word)), lambda word: word_stem(word)), ' '), ''),
    array_to_string(tag_words(t), ' '));
