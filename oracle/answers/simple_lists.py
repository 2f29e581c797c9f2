"""The short way through what nearly all answers are: one film a line, numbered or not, maybe with words around them.

Tame lines are read all at once (oracle.answers.tame_lines). Any other line is read by itself, and what it says is remembered,
since a policy writes the same lines again and again. A text goes the long way (oracle.answers.select) where a line of it
depends on those around it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from oracle.answers.entry import LONGEST, read
from oracle.answers.inline import plain_pieces
from oracle.answers.lines import BREAK, LATE_START, LINE, Line, sorted_lines
from oracle.answers.select import closes, read_plain, talks
from oracle.answers.tame_lines import COLON, LOWER_WORD, TALK, lines_of

ELSEWHERE = re.compile(rf"[{BREAK}<|`]|^\s*[\[{{]")  # lines that may be more than a film or talk about films
TITLED = re.compile(r"[A-Z][A-Za-z0-9']*+(?: (?:[A-Z][A-Za-z0-9']*+|\d++))*+")  # reads as no more than it says
MAX_RANK = 2**15 - 1  # the rank column is an int16

# What a line is: no film; one; one if it stands directly below a film; that is not clear without other lines; not known.
HARMLESS, FILM, BELOW, UNCLEAR, UNREAD = range(5)
_NOT_CLEAR = (UNCLEAR, UNCLEAR, 0, "", 0)


@dataclass(frozen=True)
class SimpleLists:
    """The entries of the texts that go the short way.

    Attributes:
        simple: (B,) bool, which texts these are.
        completion, start, end: (n,) int64, the text of each entry, and where it stands in it, in characters.
        year: (n,) int64, 0 where none is given.
    """

    simple: np.ndarray
    completion: np.ndarray
    start: np.ndarray
    end: np.ndarray
    year: np.ndarray
    _lines: "_Lines"
    _line: np.ndarray  # of each entry

    def titles(self) -> list[str]:
        return self._lines.titles(self._line)


def simple_lists(texts: list[str]) -> SimpleLists:
    """The entries of all texts that are simple lists, in order."""
    n_lines = np.array([text.count("\n") + 1 for text in texts], dtype=np.int64)
    text = np.repeat(np.arange(len(texts)), n_lines)
    lines = _Lines("\n".join(texts))
    lines.read(np.flatnonzero(lines.in_plain == UNREAD))
    numbered = np.bincount(text[lines.in_numbered == FILM], minlength=len(texts)) > 0
    lines.read(lines.that_talk(~numbered[text]))
    kind = np.where(numbered[text], lines.in_numbered, lines.in_plain)
    n_sure, n_below, n_unclear = (np.bincount(text[kind == k], minlength=len(texts)) for k in (FILM, BELOW, UNCLEAR))
    above = np.maximum.accumulate(np.where(kind == BELOW, 0, np.arange(len(kind))))  # past others of that kind
    film = (kind == FILM) | ((kind == BELOW) & (kind[above] == FILM) & (text[above] == text))
    n_films = np.bincount(text[film], minlength=len(texts))
    # Titles alone may be a list too. Few numbers among many other lines may be titles such as "1. Mai".
    by_themselves = np.where(numbered, n_lines < 4 * n_films, (n_sure > 0) | (n_below == 0))
    simple = (n_unclear == 0) & (n_films <= MAX_RANK) & by_themselves
    line = np.flatnonzero(film & simple[text])
    begin = lines.start[n_lines.cumsum() - n_lines][text[line]]
    return SimpleLists(
        simple, text[line], lines.start[line] - begin, lines.entry_end[line] - begin, lines.year[line], lines, line
    )


class _Lines:
    """All lines of a batch, as columns.

    Attributes:
        start, entry_end: where a line starts, and where its entry ends if it is one.
        in_numbered, in_plain: what it is in a text that has numbered lines, and in one that has none.
        year: of its film, 0 where none is given.
    """

    def __init__(self, joined: str):
        self._joined = joined
        self.start, self._end, tame = lines_of(joined)
        self._tame = tame
        self.in_plain = np.where(self.start == self._end, HARMLESS, UNREAD)
        self.in_numbered = self.in_plain.copy()
        self.in_numbered[tame.line] = np.where(tame.numbered, FILM, HARMLESS)
        self.in_plain[tame.line] = np.where(tame.numbered, UNCLEAR, FILM)
        self.entry_end = self._end.copy()
        self.year, *self._title = np.zeros((3, len(self.start)), dtype=np.int64)
        self.year[tame.line], self._title[0][tame.line], self._title[1][tame.line] = (
            tame.year, tame.title_start, tame.title_end,
        )  # fmt: skip
        self._read_titles: dict[int, str] = {}

    def that_talk(self, unnumbered: np.ndarray) -> np.ndarray:
        """The tame lines, of those without a number in `unnumbered` texts, that may be more than a film."""
        talking = np.zeros(len(self._tame.line), dtype=bool)
        for flags, more in ((TALK, talks), (COLON | LOWER_WORD, _leads)):
            some = np.flatnonzero((self._tame.known & flags == flags) & unnumbered[self._tame.line])
            talking[some] |= np.array([more(title) for title in self._tame.titles(self._joined, some)], dtype=bool)
        return self._tame.line[talking]

    def read(self, chosen: np.ndarray) -> None:
        """Read some lines, one by one."""
        if not len(chosen):
            return
        spans = zip(self.start[chosen].tolist(), self._end[chosen].tolist(), strict=True)
        readings = zip(
            *(_read_line(self._joined[a:b]) if b - a <= LONGEST else _NOT_CLEAR for a, b in spans), strict=True
        )
        self.in_numbered[chosen], self.in_plain[chosen], length, titles, self.year[chosen] = readings
        self.entry_end[chosen] = self.start[chosen] + length
        self._read_titles |= zip(chosen.tolist(), titles, strict=True)

    def titles(self, chosen: np.ndarray) -> list[str]:
        """The titles of lines that are films."""
        spans = zip(chosen.tolist(), *(column[chosen].tolist() for column in self._title), strict=True)
        return [self._read_titles.get(i) or self._joined[a:b] for i, a, b in spans]


def _leads(title: str) -> bool:
    """Whether a title with a colon is a lead and a list: "Films for you: A, B and C"."""
    return bool(plain_pieces(f"{title} (1979)", alone=False))


@lru_cache(maxsize=2**15)
def _read_line(line: str) -> tuple[int, int, int, str, int]:
    """What a line is in a text that has numbered lines, and in one that has none; if it is a film in one of them, the
    length of its entry, which starts where the line does, its title, and its year or 0."""
    if len(line) <= 60 and TITLED.fullmatch(line):
        return HARMLESS, BELOW, len(line), line, 0
    if ELSEWHERE.search(line):
        return _NOT_CLEAR
    if not (found := LINE.match(line)):
        return HARMLESS, HARMLESS, 0, "", 0
    indent, heading, bullet, marker, _, number, _, content = found.groups()
    content, body = content.rstrip(), found.start("body")
    if int(number or 0) and not (indent or heading or bullet):
        title, year, _, _, prose, compound = read(content)
        if not title or prose or compound:
            return UNCLEAR if compound else HARMLESS, UNCLEAR, 0, "", 0
        return FILM, UNCLEAR, body + len(content), title, year or 0
    in_numbered = UNCLEAR if marker or bullet or LATE_START.search(content) else HARMLESS
    # A marker that only may be one is part of a title.
    plain = sorted_lines(line, 0, len(line)).plain if marker else [Line(len(indent), body, content, 0, bool(heading))]
    if not plain or bullet or (in_numbered == UNCLEAR and not marker):
        return in_numbered, UNCLEAR, 0, "", 0
    entries, sure, _ = read_plain(plain[0], tagged=False, edge=False, alone=False)
    if not entries:
        return in_numbered, HARMLESS, 0, "", 0
    entry = entries[0]
    if len(entries) > 1 or entry.start or (closes(content) and not entry.dated):
        return in_numbered, UNCLEAR, 0, "", 0
    return in_numbered, FILM if sure else BELOW, entry.end, entry.title, entry.year or 0
