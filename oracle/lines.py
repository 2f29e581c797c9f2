"""One line of an answer: its marker, and, of a plain numbered list, the film that it names whatever stands around it."""

import re
from functools import lru_cache
from itertools import chain

import numpy as np

from oracle.entry import CLOSE, INVISIBLE, LONGEST, OPEN, SYMBOLS, read

BLANK = f"[ \\t\u00a0\u3000{INVISIBLE}]"
BREAK = "\\r\\n\\v\\f\x85\u2028\u2029"
LINE = re.compile(
    rf"""(?=[^{BREAK}])
    (?P<indent>{BLANK}*+) (?:>{BLANK}*+)*+ (?P<heading>\#{{1,6}}{BLANK}++)?
    (?P<bullet>(?:[-*+–—](?={BLANK})|[a-zA-Z]\)(?={BLANK})|[{SYMBOLS}]++|(?:<[uo]l>)?<li>
        |(?:[*_]*(?i:movie|film|title)\ ?\#?\d*:[*_]*)(?={BLANK})){BLANK}*+)?
    (?P<marker>(?P<bold>[*_`]{{1,3}})?
        (?: (?P<number>\d{{1,3}})\\?(?:[.．](?!\d)\)?|[)）、])              # 1.  1)  1\.  １．  1、
          | (?P<unsure>[{OPEN}]\d{{1,3}}[{CLOSE}]                           # (1)  [1]
                      |(?:\#|№|No\.\ ?)\d{{1,3}}[.:)]?(?=[*_`]*{BLANK})   # #1  No. 1:
                      |\d{{1,3}}{BLANK}*+[-–—:](?=[*_`]*{BLANK})          # 1 -  1:
                      |(?:\d\ufe0f?\u20e3){{1,3}} | [①-⑳]                 # keycaps, circled digits
                      |\d{{1,3}}(?={BLANK}[^{BREAK}]*\d{{4}})))           # 1 Alien (1979)
        (?(bold)(?P=bold)?){BLANK}*+)?
    (?P<body>[^{BREAK}]*+)""",
    re.X,
)
LATE_START = re.compile(rf"[:.!?{CLOSE}]{BLANK}++([*_`(]*1[.)][*_`]*){BLANK}++(?=\S)")  # "Here you are: 1. A"
MAX_RANK = 2**15 - 1  # the rank column is an int16
ELSEWHERE = re.compile(rf"[{BREAK}<|`]|^\s*[\[{{]")  # lines that may be more than a film or talk about films

Film = tuple[int, str, int | None]  # length of its entry, title, year


@lru_cache(maxsize=2**15)  # a policy writes the same lines again and again
def _film(line: str) -> Film | tuple[()] | None:
    """The film of a line "1. Alien (1979)", which starts where the line does. () if it names none in a numbered list.

    None if that depends on other lines, or if the line may hold several entries.
    """
    if len(line) > LONGEST or ELSEWHERE.search(line):
        return None
    if not (found := LINE.match(line)):
        return ()
    indent, heading, bullet, marker, _, number, _, content = found.groups()
    if not (marker or bullet):
        return None if LATE_START.search(content) else ()
    if indent or heading or bullet or not int(number or 0):
        return None
    content = content.rstrip()
    reading = read(content)
    if reading.compound:
        return None
    return (
        (found.start("body") + len(content), reading.title, reading.year) if reading.title and not reading.prose else ()
    )


def plain_lists(texts: list[str]) -> tuple[np.ndarray, list[list[Film]], np.ndarray]:
    """Which texts are a numbered list, one film a line, maybe with words before and after, and what they name.

    That is what nearly all answers are. Any other text may be a list of another form.

    Returns:
        plain: (B,) bool.
        films: of each text, its films; [] if it is none of these.
        starts: where in its text each of these films starts, of all texts end to end, int64.
    """
    lines = [text.split("\n") for text in texts]
    said = [list(map(_film, rows)) for rows in lines]
    films = [[film for film in rows if film] for rows in said]
    # Few numbers among many other lines may be titles such as "1. Mai".
    plain = [
        None not in rows and len(rows) < 4 * len(found) <= 4 * MAX_RANK for rows, found in zip(said, films, strict=True)
    ]
    n_lines = np.array([len(rows) for rows in lines], dtype=np.int64)
    lengths = np.fromiter(map(len, chain.from_iterable(lines)), np.int64) + 1  # with the line break
    starts = lengths.cumsum() - lengths
    starts -= np.repeat(starts[n_lines.cumsum() - n_lines], n_lines)
    named = np.fromiter(map(bool, chain.from_iterable(said)), bool)
    in_plain = np.repeat(np.array(plain, dtype=bool), n_lines)
    films = [found if whole else [] for found, whole in zip(films, plain, strict=True)]
    return np.array(plain, dtype=bool), films, starts[named & in_plain]
