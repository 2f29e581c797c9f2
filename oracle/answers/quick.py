"""Lists of "1. Alien (1979)" or "Alien (1979)", as most answers of a policy are, read by one pattern instead of in steps.

It gives what the other steps give, or None where it can't be sure; tests compare the two, and so does
tests/benchmarks/fuzz_answers.py on 100,000 lines. It is here because `rank_ids` and rewards read every answer of every
step: it takes a quarter of the time for titles that were never read before.
"""

import re

from oracle.answers.entry import Entry, read
from oracle.answers.headings import FIELD, Role
from oracle.answers.lines import LINE, Line, parts_of
from oracle.answers.select import directly_below, entries_of_marked, read_plain
from oracle.answers.tables import names_columns
from oracle.answers.years import with_years_of_the_list

# Words with a capital, numbers, and small words between them. No word here is a label, a credit or a piece of
# advice, or may announce the list ("Final picks: …").
_LETTER = "A-Za-zÀ-ÖØ-öø-ÿ"
_ADVICE = (
    r"(?i:by|avoid(?:ed)?|skip(?:ped)?|stay|steer|beware|keep|do|don|excluded|exclusions?|omitted|omissions?|rejected|discarded|dropped|eliminated|removed"
    r"|filtered|ruled|left|off|already|previously|not|never|cannot|can|wouldn|didn|won|aren|unsuitable|inappropriate|unsafe|non|no|dishonou?rable"
    r"|(?:final|finali[sz]ed|definitive|ultimate)(?=\b.*:)"
    r"|vermeiden|evitar|éviter|nicht|you|i)\b"
)
_CAPITAL = rf"(?!{_ADVICE})[A-ZÀ-ÖØ-Þ][{_LETTER}]*(?:['’-][{_LETTER}]+)*[!?]?"
_SMALL = r"(?:of|the|and|in|a|an|to|on|at|for|from)"
_LABELS = (
    rf"(?i:movie|film|title|name|item|recommendation|pick|answer|rank|number|no|top|place|choice)s?(?![{_LETTER}])"
)
_MARK = rf"(?<=[{_LETTER}])(?:[.:]|,(?! (?i:tv|television|web|limited)\b))"
_REST = rf"(?:(?:{_MARK})? (?:{_CAPITAL}|\d{{1,4}})| {_SMALL}(?= ))*"
_YEAR = r" \((18[7-9]\d|19\d\d|20[0-2]\d|203[0-5])\)$"
_NUMBERED = re.compile(rf"^[1-9]\d{{0,2}}[.)] ((?!{_LABELS})(?:{_CAPITAL}|\d{{1,4}}){_REST}){_YEAR}", re.M)
_PLAIN = re.compile(rf"^((?!{_LABELS}|[A-Z]\.|[IVX]+\.){_CAPITAL}{_REST}){_YEAR}", re.M)
_ELSEWHERE = re.compile(r"[\[{<|`◁]")  # may begin a tag, JSON or a table


def quick_list(text: str) -> list[Entry] | None:
    """The entries of a text that has no tags, if it is a list whose other lines depend on none around them."""
    return _numbered(text) if _NUMBERED.search(text) else _plain(text)


def _numbered(text: str) -> list[Entry] | None:
    films: list[Entry] = []
    position = n_others = 0
    for film in _NUMBERED.finditer(text):
        start, end = film.span()
        if start - position > 1:
            more = _between(text, position, start, films)
            if more is None:
                return None
            n_others += more
        films.append(Entry(start, end, film[1], int(film[2]), True))
        position = end
    more = _between(text, position, len(text), films)
    if more is None or n_others + more >= 3 * len(films):  # then "1. Mai (2008)" may be a title
        return None
    return films if all(film.dated for film in films) else with_years_of_the_list(films)


def _plain(text: str) -> list[Entry] | None:
    """The same without numbers, where no line but the last one may be other than a film."""
    films: list[Entry] = []
    position = 0
    for film in _PLAIN.finditer(text):
        start, end = film.span()
        if (start - position > 1 and text[position:start].strip(" \n")) or (":" in film[1] and FIELD.match(film[1])):
            return None
        films.append(Entry(start, end, film[1], int(film[2]), True))
        position = end
    below = [*LINE.finditer(text, position)] if films else []
    if not films or len(below) > 1:
        return None
    for found in below:  # it may have been cut off
        parts = parts_of(found[0])
        if parts.role is not Role.NONE or parts.marker or parts.bullet or parts.late or _ELSEWHERE.search(found[0]):
            return None
        line = Line(found.start() + parts.first, found.start() + parts.body, parts.text, 0, parts.heading)
        said = read_plain(line, tagged=False, edge=True, alone=False)
        for entry in said.entries:
            if said.sure or directly_below(text, films[-1], entry):
                films.append(entry)
    return films


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
