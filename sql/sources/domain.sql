-- What the store recommends -> domain.
update domain set noun = $noun, nouns = $nouns, numeric_ids = $numeric_ids, first_words = $first_words, ask = $ask;
