-- How a title and a year find their film. Built on store/schema.sql, titles/normalise.sql and titles/variants.sql.

-- title_index: grain one title of one film, as matching returns it; key title_no (0-based, dense, films together).
-- wording, words, key, short_keys: see titles/variants.sql. key_no and wording_no number the different keys and wordings: titles are the same where they are.
create or replace table title_index as
with forms as (
    select imdb_id, title, year, bool_or(is_primary) as is_primary from titles group by all
),
texts as (select title as text from forms),
variants as materialized (from title_variants(texts))
select (row_number() over (order by imdb_id, not is_primary, title, year) - 1)::integer as title_no,
       (dense_rank() over (order by imdb_id) - 1)::integer as film_no,
       imdb_id, title, year, is_primary, words, wording, key, short_keys,
       (dense_rank() over (order by key) - 1)::integer as key_no,
       (dense_rank() over (order by key, wording) - 1)::integer as wording_no
from forms join variants on title = text
order by title_no;

-- film_names: grain film; what it is called where one name is shown: its first title. Sources list a film several times, each under titles of its own.
create or replace view film_names as
select imdb_id, title, year, title_no
from title_index t anti join title_index as before on before.title_no = t.title_no - 1 and before.film_no = t.film_no;

-- title_keys: grain title x key that it is found by, sorted by key_hash. The kind of key is its first letter:
-- k normalised, f without a foreign article, s a shorter form, b its words in any order, l its first words, < > halves.
-- First words are keys where the domain says so: two and more that begin the titles of one film alone, if no number is among the
-- others: 'Candy Crush' is 'Candy Crush Saga', 'Dark Souls' is not 'Dark Souls III'. Not of films: 'The Dark' begins too many.
create or replace table title_keys as
with starts as (
    select *, array_to_string(words[:n], '') as start
    from (select title_no, film_no, string_split(words, ' ') as words, unnest(range(2, len(string_split(words, ' ')))) as n
          from title_index where (select first_words from domain))
    qualify min(film_no) over (partition by start) = max(film_no) over (partition by start)
),
keys as (
    select title_no, unnest(
        ['k' || key]
        || ['f' || replace(form, ' ', '') for form in bare_forms(words)]
        || ['s' || short for short in short_keys]
        || if(contains(words, ' '), ['b' || word_bag(words)], [])
        || if(length(key) >= 5, half_keys(key, length(key)), [])) as key
    from title_index
    union all
    select title_no, 'l' || start from starts where not regexp_matches(array_to_string(words[n + 1:], ' '), '\d')
)
select distinct key_hash(key) as key_hash, title_no from keys order by key_hash, title_no;

-- alias_index: grain an alias that the store itself has (titles/aliases.sql: those beside it); key (key, year).
create or replace view alias_index as
select title_key(a.title) as key, a.year, arg_max(t.title_no, a.confirmed_at) as title_no
from title_alias a join film_names t using (imdb_id)
group by all;

-- known_words: grain a word of some title. A word that is in none is taken for a slip.
create or replace table known_words as
select distinct key_hash(unnest(string_split(words, ' '))) as word_hash from title_index order by word_hash;

-- namesakes: grain number of words in a title (1 to 4, 4 = more). How often another film of the same title is one or two
-- years away.
create or replace table namesakes as
with films as (
    select film_no, key, year, word_class(words) as word_class from title_index where is_primary and year is not null
),
with_namesake as (
    select distinct a.film_no, a.year, a.word_class
    from films a join films b on a.key = b.key and a.film_no <> b.film_no and abs(a.year - b.year) between 1 and 2
)
select word_class, count(*) as titles, count(n.film_no) as with_namesake, count(n.film_no) / (count(*) + common_titles().starting_with) as share
from films left join with_namesake n using (film_no, year, word_class)
group by word_class;
