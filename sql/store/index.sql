-- What an oracle holds in memory of a store, in the order in which it holds it. Built on the files that derive the tables.
-- Titles, films and traits are numbered from 0, as in title_index and traits.

create or replace view index_titles as          -- grain title; year -1 = not known
select title, coalesce(year, -1)::smallint as year, film_no as film, is_primary::utinyint as is_primary, key_no, wording_no,
       word_class(words)::tinyint as word_class
from title_index;

create or replace view index_films as           -- grain film
select imdb_id from title_index qualify film_no <> coalesce(lag(film_no) over (order by title_no), -1) order by title_no;

create or replace view index_keys as            -- grain title x key, sorted by key_hash
select key_hash as hash, title_no as title from title_keys;

create or replace view index_words as           -- grain word of some title, sorted
select word_hash from known_words;

create or replace view index_common as          -- grain number of words in a title that many titles share
select unnest(common_classes()) as word_class;

create or replace view index_aliases as         -- grain confirmed alias; year -1 = none given
select key, coalesce(year, -1)::smallint as year, title_no as title from alias_index;

create or replace view index_aliased as         -- grain title that has the key of an alias
select distinct key_no from title_index semi join alias_index using (key);

create or replace view index_traits as          -- grain trait; synonyms: everyday words for it
select trait, (select coalesce(list(synonym order by synonym), []) from trait_synonyms s where s.trait = traits.trait) as synonyms
from traits order by ordinal;

-- What a risk can come from, in the order of its numbers.
create or replace macro risk_sources() as ['tags', 'guide', 'both', 'given'];

create or replace view index_sources as        -- grain what a risk can come from
select unnest(risk_sources()) as source;

create or replace view index_risks as           -- grain film x trait of which something is known
select film_no as film, trait_no::integer as trait, risk, coalesce(list_position(risk_sources(), source)::tinyint - 1::tinyint, 0::tinyint) as source,
       coalesce(hit_tags, []) as hit_tags,
       severity_texts(severities) as severities
from trait_risk
join (select trait, row_number() over (order by ordinal) - 1 as trait_no from traits) using (trait)
join (select distinct imdb_id, film_no from title_index) using (imdb_id)
order by film, trait_no;
