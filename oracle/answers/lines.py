"""The lines of an answer by kind: numbered, bulleted, plain, or a row of a table; and what their markers are."""

import re
from typing import NamedTuple

from oracle.answers.entry import CLOSE, INVISIBLE, OPEN, SYMBOLS

BLANK = f"[ \\t\u00a0\u3000{INVISIBLE}]"
BREAK = "\\x1c-\\x1e\\r\\n\\v\\f\x85\u2028\u2029"
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


class Line(NamedTuple):
    """`start`: where its content starts, marker included; `text`: what stands behind the marker, from `body` on."""

    start: int
    body: int
    text: str
    number: int = 0  # 0: not numbered
    heading: bool = False


class Lines(NamedTuple):
    numbered: list[Line]
    bullets: list[Line]
    nested: list[Line]  # numbered or bulleted, but deeper than the first of that kind
    plain: list[Line]
    rows: list[Line]  # of tables


def sorted_lines(text: str, start: int, end: int, numbers: bool = True) -> Lines:
    lines = Lines([], [], [], [], [])
    last = top = inner = 0  # last number, indent of the numbers, and of a list inside of an entry, if any
    bullet_top = -1
    for m in LINE.finditer(text, start, end):
        space, heading, bullet, marker, _, number, unsure, content = m.groups()
        first, body, content = m.start() + len(space), m.end() - len(content), content.rstrip()
        indent = len(space.expandtabs(4)) if space else 0
        count = int(number or 0)
        if unsure or (number and (bullet or not numbers)):
            count = _next_number(unsure or number, last) if numbers else 0
            if not count:  # it is part of the title
                body, content, number = body - len(marker), marker + content, None
        if numbers and not (last or marker or bullet) and (late := LATE_START.search(content)):
            first, body, content, count = body + late.start(1), body + late.end(), content[late.end() :], 1
        if count or number:
            nested = lines.numbered and indent > top + 1
            if nested and (count != last + 1 or 0 < inner <= indent):
                inner = min(inner or indent, indent)
                lines.nested.append(Line(first, body, content, count))
                continue
            inner, top = inner if nested else 0, min(top, indent) if lines.numbered else indent
            last = count
            lines.numbered.append(Line(first, body, content, count))
        elif bullet:
            bullet_top = indent if bullet_top < 0 else bullet_top
            (lines.nested if indent > bullet_top + 1 else lines.bullets).append(Line(first, body, content))
        else:
            kind = lines.rows if content.startswith("|") else lines.plain
            kind.append(Line(first, body, content, 0, bool(heading)))
    return lines


def _next_number(mark: str, last: int) -> int:
    """The number in a marker that may be part of a title ("(500) Days of Summer"); 0 unless it goes on counting."""
    digits = "".join(c for c in mark if c.isdecimal())
    number = int(digits) if digits else ord(mark) - ord("①") + 1
    return number if number in (1, last + 1) else 0
