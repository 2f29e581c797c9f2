"""One line of an answer: its marker, and, of a plain numbered list, the film that it names whatever stands around it."""

import re
from functools import lru_cache
from itertools import accumulate

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
ELSEWHERE = re.compile(rf"[{BREAK}<|`]|^\s*[\[{{]")  # lines that may be more than a film or talk about films


@lru_cache(maxsize=2**15)  # a policy writes the same lines again and again
def _film(line: str) -> tuple[int, str, int | None] | tuple[()] | None:
    """Of a line "1. Alien (1979)": the length of its entry, title and year. () if it names no film in a numbered list.

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


def plain_list(text: str) -> list[tuple[int, int, str, int | None]] | None:
    """Start, end, title and year of the entries of a numbered list, one a line, maybe with words before and after.

    That is what nearly all answers are. None if the text is or may be anything else.
    """
    lines = text.split("\n")
    films = list(map(_film, lines))
    if None in films:
        return None
    ends = accumulate(map(len, lines))  # without the line breaks
    found = [
        (breaks + end - len(line), breaks + end - len(line) + film[0], film[1], film[2])
        for breaks, (end, line, film) in enumerate(zip(ends, lines, films, strict=True))
        if film
    ]
    # Few numbers among many other lines may be titles such as "1. Mai".
    return found if len(lines) - len(found) < 3 * len(found) else None
