-- What the store recommends -> domain.
update domain set noun = $noun, nouns = $nouns, numeric_ids = $numeric_ids, ask = $ask;
