"""Numbered lists of "1. Alien (1979)", which most answers of a policy are, read by one pattern instead of step by step.

It gives what the other steps give, or None where it can't be sure; tests compare the two, and so does
tests/benchmarks/fuzz_answers.py on 100,000 lines. It is here because `rank_ids` and rewards read every answer of every
step: it takes a quarter of the time for titles that were never read before.
"""

import re

from oracle.answers.entry import Entry, read
from oracle.answers.headings import Role
from oracle.answers.lines import LINE, Line, parts_of
from oracle.answers.select import entries_of_marked
from oracle.answers.tables import names_columns
from oracle.answers.years import with_years_of_the_list

# Words with a capital, numbers, and small words between them. No word here is a label, a credit or a piece of advice.
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿ"
_CAPITAL = rf"(?!By\b)[A-ZÀ-ÖØ-Þ][{_LETTER}]*(?:['’-][{_LETTER}]+)*[!?]?"
_SMALL = r"(?:of|the|and|in|a|an|to|on|at|for|from)"
_LABELS = r"(?i:movie|film|title|name|item|recommendation|pick|answer|rank|avoid|stay|steer|skip|not|excluded|left|rejected)"
_MARK = rf"(?<=[{_LETTER}])(?:[.:]|,(?! (?i:tv|television|web|limited)\b))"
_TITLE = rf"(?!{_LABELS})(?:{_CAPITAL}|\d{{1,4}})(?:(?:{_MARK})? (?:{_CAPITAL}|\d{{1,4}})| {_SMALL}(?= ))*"
_YEAR = r"(18[7-9]\d|19\d\d|20[0-2]\d|203[0-5])"
_FILM = re.compile(rf"^[1-9]\d{{0,2}}[.)] ({_TITLE}) \({_YEAR}\)$", re.M)
_ELSEWHERE = re.compile(r"[\[{<|`◁]")  # may begin a tag, JSON or a table


def quick_list(text: str) -> list[Entry] | None:
    """The entries of a text that has no tags, if it is a numbered list whose other lines depend on none around them."""
    films: list[Entry] = []
    position = n_others = 0
    for film in _FILM.finditer(text):
        start, end = film.span()
        if start - position > 1:
            more = _between(text, position, start, films)
            if more is None:
                return None
            n_others += more
        films.append(Entry(start, end, film[1], int(film[2]), True))
        position = end
    if not films or (more := _between(text, position, len(text), films)) is None:
        return None
    if n_others + more >= 3 * len(films):  # then "1. Mai (2008)" may be a title
        return None
    return films if all(film.dated for film in films) else with_years_of_the_list(films)


def _between(text: str, start: int, end: int, films: list[Entry]) -> int | None:
    """Adds the entries of the lines between two films, and counts those that hold none; None: they may mean more."""
    n_others = 0
    for found in LINE.finditer(text, start, end):
        parts = parts_of(found[0])
        if (
            parts.role not in (Role.NONE, Role.HEADING)
            or (parts.marker and not parts.number)
            or parts.bullet
            or parts.late
            or _ELSEWHERE.search(found[0])
        ):
            return None
        if parts.number:
            if parts.indent or parts.heading or parts.number.startswith("0") or read(parts.text).vague:
                return None
            line = Line(found.start() + parts.first, found.start() + parts.body, parts.text, int(parts.number))
            films += entries_of_marked([line])
        elif names_columns(parts.text):
            return None
        else:
            n_others += 1
    return n_others
