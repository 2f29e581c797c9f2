"""How close two titles are: the rules of `sql/titles/resolve.sql`, which says why they are so, with the numbers of `rules.sql`."""

from oracle.titles.normalise import constant
from oracle.titles.variants import Title

_LEVELS = constant("closeness_levels")
ALIAS, SAME_TITLE, SAME_WORDS, SAME_KEY, BARE, SHORTER, FIRST_WORDS, REORDERED, FUZZY = (
    _LEVELS[name]
    for name in (
        "alias",
        "same_title",
        "same_words",
        "same_key",
        "bare",
        "shorter",
        "first_words",
        "reordered",
        "fuzzy",
    )
)
ALTERNATIVE_COST, YEAR_COST = constant("score_costs")["alternative"], constant("score_costs")["year_apart"]
MOST_YEARS_APART, CONTESTED_YEARS = constant("year_limits")["let_pass"], constant("year_limits")["contested"]
TELLING_WORDS = constant("telling_words")
_SLIP_LENGTHS = constant("slip_lengths")


def closeness(kind: str, query: Title, found: Title, slips: int, allowed: int) -> float:
    """How close two titles are that a key of this kind brought together; 0 where they only looked alike."""
    if kind == "alias":
        return ALIAS
    if query.text == found.text:
        return SAME_TITLE
    if kind == "key" and query.key == found.key:
        return SAME_WORDS if query.wording == found.wording else SAME_KEY
    if kind == "bare" and (_key(query.bare) == found.key or _key(found.bare) == query.key):
        return BARE
    if kind == "short" and (_shortens(query, found) or _shortens(found, query)):
        return SHORTER
    if kind == "start" and found.words.startswith(query.words + " "):
        return FIRST_WORDS
    if kind == "order" and query.bag == found.bag:
        return REORDERED
    if kind == "half" and slips <= allowed and _digits(query.key) == _digits(found.key):
        return FUZZY - slips / (2.0 * min(len(query.key), len(found.key)))
    return 0.0


def slips_allowed(length: int, unknown_word: bool, has_year: bool) -> int:
    """How many slips are let pass in a key of this length."""
    lengths = _SLIP_LENGTHS["unknown_word" if unknown_word else "known_words"] if has_year else ()
    return sum(least <= length for least in lengths)


def _shortens(short: Title, title: Title) -> bool:
    """Whether a title is a shorter way to write another one."""
    return not title.short_keys().keys().isdisjoint(short.whole_keys)


def _key(words: str) -> str:
    return words.replace(" ", "")


def _digits(key: str) -> str:
    return "".join(letter for letter in key if letter in "0123456789")
