-- The numbers of the match rules, each in this place only. Built on nothing. SQL uses them as they are; the oracle asks for them
-- through oracle.titles.normalise.constant.

-- How close two titles are, by what they have in common. Above 1: a person decided it.
create or replace macro closeness_levels() as {
    alias: 2.0::double,         -- confirmed by a person
    same_title: 1.0::double,    -- letter by letter
    same_words: 0.99::double,   -- but for case, accents and signs
    same_key: 0.97::double,     -- normalised
    bare: 0.95::double,         -- but for a foreign article in front
    first_words: 0.91::double,  -- the first words of one title of the store alone
    shorter: 0.9::double,       -- one is a shorter way to write the other
    reordered: 0.89::double,    -- the same words in another order
    fuzzy: 0.9::double          -- less slips / (2 * letters of the shorter key)
};

-- What is taken off for an alternative title, and for each year apart.
create or replace macro score_costs() as {alternative: 0.02::double, year_apart: 0.03::double};

-- Years apart that are let pass at most, and up to which other films of a title make it contested.
create or replace macro year_limits() as {let_pass: 2, contested: 15};

-- Letters that a key needs for one slip more (a letter left out, put in, changed, or swapped) to be let pass: where a word is in no
-- title, so most likely a slip, and where all words are known ("Blood Honey", "Blood Money"). Without a year, none is.
create or replace macro slip_lengths() as {unknown_word: [5, 10, 16], known_words: [12, 20]};

-- Words that count which a title must have to be one film's for certain, where no year is given and it is not written letter by
-- letter as the film's. "Mole" may be "The Mole"; "Day After Tomorrow" is "The Day After Tomorrow".
create or replace macro telling_words() as 3;

-- A title is common where at least this share of the titles of its length have a namesake one or two years away; each length
-- starts with so many titles that have none, for a small store says little about that.
create or replace macro common_titles() as {share: 0.02::double, starting_with: 1000.0::double};

-- A title that is nothing but an id, of which the store may have the film.
create or replace macro id_as_title() as '^\s*(?P<id>tt\d{7,10})\s*$';
