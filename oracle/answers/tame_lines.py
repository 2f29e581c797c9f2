"""Lines "1. Alien (1979)" and "Alien (1979)" of Latin letters, digits and tame punctuation, read as columns of characters.

They say what oracle.answers.entry would read in them: whatever could make a difference there is not tame.
"""

import codecs
from typing import NamedTuple

import numpy as np

from oracle.answers.entry import CREDITS, LABEL, LONGEST, YEARS

# Of a character, or of any in a title. LOWER_WORD: a word in lower case starts here, which oracle.answers.entry may cut off
# (CREDIT), or oracle.answers.select may take for talk (TALK).
LETTER, LOWER, DIGIT, COLON, LOWER_WORD, TALK, CREDIT, WILD = (np.uint8(1 << i) for i in range(8))
_TAME = " ,'&!?.:-/+"
_MAY_END = np.array([chr(i).isalpha() or chr(i) in "0123456789!?.'" for i in range(256)])
# How the words begin of which there are such: those of entry.CREDITS, and those of entry.ADDRESS and INTRODUCTION.
_BEGINNINGS = {"di st fe": CREDIT, "re su tr wa co in li lo en yo mo fi so ca": TALK}
_SHORTEST = len("A (1979)")


def _known_characters() -> bytes:
    """What is known of each character of Latin-1."""
    known = np.full(256, WILD)
    known[[ord(c) for c in _TAME]] = 0
    known[ord(":")] = COLON
    known[ord("0") : ord("9") + 1] = DIGIT
    for c in filter(str.isalpha, map(chr, range(256))):
        known[ord(c)] = LETTER | (LOWER if c.islower() else 0)
    return known.tobytes()


def _known_beginnings() -> np.ndarray:
    """(256, 256) what is known of a word in lower case that begins with two letters."""
    known = np.zeros((256, 256), dtype=np.uint8)
    for beginnings, flag in _BEGINNINGS.items():
        for word in beginnings.split():
            known[ord(word[0]), ord(word[1])] = flag
    return known


_KNOWN, _KNOWN_BEGINNINGS = _known_characters(), _known_beginnings()
codecs.register_error("oracle.wild", lambda error: ("\0" * (error.end - error.start), error.end))  # type: ignore


class TameLines(NamedTuple):
    """n lines: which of all they are, where each title stands in the text, its year, whether the line is numbered, and
    what is known of any character of its title."""

    line: np.ndarray
    title_start: np.ndarray
    title_end: np.ndarray
    year: np.ndarray
    numbered: np.ndarray
    known: np.ndarray

    def where(self, chosen: np.ndarray) -> "TameLines":
        return TameLines(*(column[chosen] for column in self))

    def titles(self, text: str, chosen: np.ndarray) -> list[str]:
        spans = zip(self.title_start[chosen].tolist(), self.title_end[chosen].tolist(), strict=True)
        return [text[a:b] for a, b in spans]


def lines_of(text: str) -> tuple[np.ndarray, np.ndarray, TameLines]:
    """Where each line starts and ends, and those that are tame."""
    written = text.replace("’", "'").encode("latin-1", "oracle.wild")  # a byte a character
    code = np.frombuffer(written, np.uint8)
    breaks = np.flatnonzero(code == ord("\n"))
    start, end = np.append(0, breaks + 1), np.append(breaks, len(code))
    length = end - start
    line = np.flatnonzero((length >= _SHORTEST) & (length <= LONGEST))
    if not len(line):
        return start, end, TameLines(*np.zeros((6, 0), np.int64))
    known = _known(written, code)
    first, behind = start[line], end[line]

    # A number, "." or ")", and a space; or none of these.
    one, two, three = (known[first + i] & DIGIT > 0 for i in range(3))
    n_digits = one.astype(np.int64) + (one & two) + (one & two & three)
    mark, zero = code[first + n_digits], code[first] == ord("0")
    dotted = ((mark == ord(".")) | (mark == ord(")"))) & (code[first + n_digits + 1] == ord(" "))
    numbered = dotted & (n_digits > 0) & ~zero
    title_start, title_end = first + numbered * (n_digits + 2), behind - len(" (1979)")

    digits = np.stack([code[behind - i] for i in range(5, 1, -1)]) - np.uint8(ord("0"))  # below "0": large
    year = np.array([1000, 100, 10, 1]) @ digits
    dated = (code[behind - 7] == ord(" ")) & (code[behind - 6] == ord("(")) & (code[behind - 1] == ord(")"))
    dated &= (digits < 10).all(axis=0) & (year >= YEARS.start) & (year < YEARS.stop)

    of_title = np.bitwise_or.reduceat(known, np.stack([title_start, title_end], axis=1).ravel())[::2]
    starts_well = known[title_start] & np.where(numbered, LETTER | DIGIT, LETTER) > 0
    ends_well = _MAY_END[code[title_end - 1]]
    tame = np.flatnonzero(dated & (title_start < title_end) & starts_well & ends_well & (of_title & WILD == 0))
    found = TameLines(line, title_start, title_end, year, numbered, of_title).where(tame)
    return start, end, found.where(~_cut(text, code, found))


def _cut(text: str, code: np.ndarray, lines: TameLines) -> np.ndarray:
    """Which lines say more than a title: "Film: Alien", "No. 5", "Alien, a film of 1979"."""
    cut = np.ones(len(lines.line), dtype=bool)
    for i, character in enumerate("No."):
        cut &= code[lines.title_start + i] == ord(character)
    for flag, finds in ((COLON, LABEL.match), (CREDIT, CREDITS.search)):
        some = np.flatnonzero(lines.known & flag > 0)
        cut[some] |= np.array([finds(f"{title} ") is not None for title in lines.titles(text, some)], dtype=bool)
    return cut


def _known(written: bytes, code: np.ndarray) -> np.ndarray:
    """What is known of each character, also from those around it."""
    known = np.frombuffer(bytearray(written.translate(_KNOWN)), np.uint8)
    begins = known & LOWER
    begins[1:] &= ~((known[:-1] & LETTER) << 1)
    at = np.flatnonzero(begins)
    known[at] |= LOWER_WORD | _KNOWN_BEGINNINGS[code[at], code.take(at + 1, mode="clip")]
    known[at[code[at - 2] == ord(",")]] |= CREDIT
    known[:-1] |= ((known[:-1] & DIGIT) << 5) * (code[1:] == ord("."))  # WILD: a second entry, perhaps
    return known
