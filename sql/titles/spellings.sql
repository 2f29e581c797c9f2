-- Words that are written in several ways, and the one spelling that stands for them. Built on nothing; titles/normalise.sql reads them,
-- and Python too (oracle/titles/normalise.py).

-- British spellings as American ones. A word such as "hour" is changed as well, in both titles alike.
create or replace macro spelling_variant() as '(our|tre|ogue|ence|is(e|ing|ation)|ll(ed|er|ing))';
create or replace macro spelling_rules() as [
    ['([a-z]{2})our(s|ed|ing|ite|ites|ful|less|able)?\b', '\1or\2'],
    ['([a-z]{2})tre(s?)\b', '\1ter\2'],
    ['([a-z]{2})ogue(s?)\b', '\1og\2'],
    ['([a-z]{2})ence(s?)\b', '\1ense\2'],
    ['([a-z]{3})is(e|ed|er|es|ing|ation)\b', '\1iz\2'],
    ['([a-z]{2})ll(ed|er|ers|ing)\b', '\1l\2']];

-- Words that are written in several ways, and the one that stands for them.
create or replace macro word_standards() as map {
    'one': '1', 'two': '2', 'three': '3', 'four': '4', 'five': '5', 'six': '6', 'seven': '7', 'eight': '8', 'nine': '9',
    'ten': '10', 'eleven': '11', 'twelve': '12', 'thirteen': '13', 'first': '1st', 'second': '2nd', 'third': '3rd',
    'versus': 'vs', 'doctor': 'dr', 'mister': 'mr', 'saint': 'st', 'part': 'pt', 'volume': 'vol', 'chapter': 'ch', 'episode': 'ep',
    'grey': 'gray', 'teh': 'the', 'hte': 'the', 'mum': 'mom', 'pyjamas': 'pajamas', 'programme': 'program', 'okay': 'ok', 'till': 'til', 'until': 'til'
};
create or replace macro roman_numerals() as map {
    'i': '1', 'ii': '2', 'iii': '3', 'iv': '4', 'v': '5', 'vi': '6', 'vii': '7', 'viii': '8', 'ix': '9', 'x': '10',
    'xi': '11', 'xii': '12', 'xiii': '13', 'xiv': '14', 'xv': '15', 'xvi': '16'
};
create or replace macro numbered_words() as ['part', 'episode', 'chapter', 'volume', 'book'];
