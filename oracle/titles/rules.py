"""How close two titles are: the rules of `sql/titles/resolve.sql`, which says why they are so."""

from oracle.titles.variants import Title

CONFIRMED, SAME_TITLE, SAME_WORDS, SAME_KEY, BARE, SHORTER, REORDERED = 2.0, 1.0, 0.99, 0.97, 0.95, 0.9, 0.89


def closeness(kind: str, query: Title, found: Title, slips: int, allowed: int) -> float:
    """How close two titles are that a key of this kind brought together; 0 where they only looked alike."""
    if kind == "alias":
        return CONFIRMED
    if query.text == found.text:
        return SAME_TITLE
    if kind == "key" and query.key == found.key:
        return SAME_WORDS if query.wording == found.wording else SAME_KEY
    if kind == "bare" and (_key(query.bare) == found.key or _key(found.bare) == query.key):
        return BARE
    if kind == "short" and (query.key in map(_key, found.short_forms()) or found.key in map(_key, query.short_forms())):
        return SHORTER
    if kind == "order" and query.bag == found.bag:
        return REORDERED
    if kind == "half" and slips <= allowed and _digits(query.key) == _digits(found.key):
        return 0.9 - slips / (2.0 * min(len(query.key), len(found.key)))
    return 0.0


def slips_allowed(length: int, unknown_word: bool, has_year: bool) -> int:
    """How many slips are let pass in a key of this length."""
    if not has_year and (not unknown_word or length < 8):
        return 0
    if unknown_word:
        return 0 if length < 5 else min(3, (length + 2) // 6)
    return 0 if length < 12 else 1 if length < 20 else 2


def _key(words: str) -> str:
    return words.replace(" ", "")


def _digits(key: str) -> str:
    return "".join(letter for letter in key if letter in "0123456789")
