-- What makes two spellings one title: the only definition of it. Built on titles/spellings.sql; paste both into a DuckDB shell and try.
-- fold_title(t)       letters without case and accents, signs spelt out: 'L''Été & Co.' -> 'lete  and  co.'
-- title_wording(t)    the words of the folded title, parted by one space
-- normalise_title(t)  the words that count, each in its standard spelling: 'The Fast & the Furious, Part II' -> 'fast furious pt 2'
-- title_key(t)        the same without spaces, which titles are compared by: 'Spider-Man' = 'Spiderman'
-- All are null for null; the last two are never empty for a title that has a visible character.
-- The oracle takes the same steps in Python (oracle/titles/normalise.py), with the patterns and words that are named here.

create or replace macro plain_letters(t) as replace(replace(replace(replace(translate(lower(strip_accents(t)),
    'øłđðıħŧ’‘ʼ`´′¹²³⁴⁵–—‐‑', 'olddiht''''''''''''12345----'), 'æ', 'ae'), 'œ', 'oe'), 'ß', 'ss'), '½', ' 1 2');

create or replace macro fold_title(t) as replace(replace(replace(replace(
    if(strlen(t) = length(t), lower(t), plain_letters(t)), '&', ' and '), '+', ' and '), '''', ''), '`', '');

-- 'Matrix, The' is read as 'The Matrix', and initials as one word.
create or replace macro article_at_the_end() as
    '^(.*), ?(the|an?|les?|la|l|une?|el|l[ao]s|una|il|lo|gli|der|die|das|eine?|den|det|ett?|het|een|os|uma?)$';
create or replace macro initial() as '\b([a-z])\.';

create or replace macro folded_wording(folded) as trim(regexp_replace(
    if(contains(folded, ',') or contains(folded, '.'),
       regexp_replace(regexp_replace(folded, article_at_the_end(), '\2 \1'), initial(), '\1', 'g'),
       folded),
    '[^\p{L}\p{N}]+', ' ', 'g'));
create or replace macro foreign_signs(folded) as list_distinct(regexp_extract_all(folded, '[^\p{L}\p{N}\x00-\x7f]'));
create or replace macro title_wording(t) as list_transform([fold_title(t)], lambda folded: folded_wording(folded))[1];

create or replace macro by_rule(words, n) as regexp_replace(words, spelling_rules()[n][1], spelling_rules()[n][2], 'g');
create or replace macro standard_spelling(words) as list_transform([words], lambda w:
    if(regexp_matches(w, spelling_variant()), by_rule(by_rule(by_rule(by_rule(by_rule(by_rule(w, 1), 2), 3), 4), 5), 6), w))[1];

-- A roman numeral never comes first ("V for Vendetta"); of one letter, it comes last or after a word such as "part".
create or replace macro standard_word(word, place, words) as coalesce(
    if(place > 1 and (length(word) > 1 or place = len(words) or words[place - 1] in numbered_words()), roman_numerals()[word], null),
    word_standards()[word], word);

create or replace macro standard_words(words) as array_to_string(list_transform(
    [string_split(words, ' ')], lambda split:
    list_transform(split, lambda word, place: standard_word(word, place, split)))[1], ' ');

-- An English article counts for nothing in front, "the" and "and" nowhere: signs get lost ("Cats & Dogs", "Cats Dogs").
create or replace macro without_articles(words) as replace(replace(
    regexp_replace(' ' || replace(words, ' ', '  ') || ' ', '^ an? ( .)', '\1'), ' the ', ''), ' and ', '');

-- The one-element lists here and above name a value that is used more than once; DuckDB would plan and work it out each time.
-- Looking at each word costs ten times as much as all the rest: it is done where some word may have another standard.
create or replace macro counting_words(wording) as trim(replace(without_articles(
    list_transform([standard_spelling(wording)], lambda words:
        if(regexp_matches(words, '\b([ivx]+|' || array_to_string(map_keys(word_standards()), '|') || ')\b'),
           standard_words(words), words))[1]), '  ', ' '));
-- Where those are nothing but articles or signs, such as "The" or "$", what is written counts as it is.
create or replace macro words_or_all(words, folded) as if(words = '', trim(folded), words);
create or replace macro standard_title(wording, folded) as
    list_transform([counting_words(wording)], lambda its_words: words_or_all(its_words, folded))[1];

create or replace macro normalise_title(t) as standard_title(title_wording(t), fold_title(t));

create or replace macro title_key(t) as replace(normalise_title(t), ' ', '');
