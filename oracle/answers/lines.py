"""The lines of an answer by kind: numbered, bulleted, plain, a row of a table, a field; and what their markers are."""

import re
from functools import lru_cache
from typing import NamedTuple

from oracle.answers.entry import CLOSE, INVISIBLE, LONGEST, OPEN, SYMBOLS
from oracle.answers.headings import Role, role_of

BLANK = f"[ \\t\u00a0\u3000{INVISIBLE}]"
BREAK = "\\x1c-\\x1e\\r\\n\\v\\f\x85\u2028\u2029"
LINE = re.compile(f"[^{BREAK}]+")
ROMAN = r"[IVX]{1,5}|[ivx]{1,5}"
PARTS = re.compile(
    rf"""(?P<indent>{BLANK}*+) (?>(?:(?:>|\\boxed\{{){BLANK}*+)*) (?P<heading>\#{{1,6}}{BLANK}++)?
    (?P<bullet>(?:[-*+–—](?:{BLANK}\[[ xX✓✔]\])?(?={BLANK})|\\item(?={BLANK})
        |[a-hj-uwyzA-HJ-UWYZ]\)(?={BLANK})|[{SYMBOLS}]++|(?:<[uo]l>)?<li>
        |(?:[*_"]*(?i:
            (?:movie|film|item)[ _](?:title|name)|movie|film|title|name|item|recommendation|pick)\ ?\#?\d*[*_"]*:[*_]*)(?={BLANK})
        ){BLANK}*+)?
    (?P<marker>(?P<bold>[*_`]{{1,3}})?
        (?: (?P<number>\d{{1,3}})\\?(?:[.．](?!\d)\)?|[)）、])              # 1.  1)  1\.  １．  1、
          | (?P<unsure>[{OPEN}](?i:rank\ )?\d{{1,3}}[{CLOSE}]               # (1)  [1]
                      |(?i:rank)\ \#?\d{{1,3}}(?={BLANK})
                      |(?:\#|№|No\.\ ?)\d{{1,3}}[.:)]?(?=[*_`]*{BLANK})   # #1  No. 1:
                      |(?i:rank|number|no|top|pick|place|choice|\#)\ ?\#?\d{{1,3}}{BLANK}*+[.:)–—-](?=[*_`]*{BLANK})  # Rank 1:
                      |\d{{1,3}}(?:st|nd|rd|th)(?:\ place)?{BLANK}*+[.:)–—-](?=[*_`]*{BLANK})   # 1st place:
                      |\d{{1,3}}{BLANK}*+(?:[-–—:]|[-=]>|→)(?=[*_`]*{BLANK})  # 1 -  1:  1 ->
                      |(?:\d\ufe0f?\u20e3){{1,3}} | [①-⑳]                 # keycaps, circled digits
                      |\(?(?:{ROMAN}|[A-Z])[.)]\)?(?=[*_`]*{BLANK})        # II.  (ii)  B.
                      |(?:{ROMAN}){BLANK}[-–—](?={BLANK})                  # II -
                      |\d{{1,3}}[,;](?=[^{BREAK}]*[,;]\ ?"?\d{{4}}\b)      # 1,Alien,1979
                      |\d{{1,3}}(?={BLANK}[^{BREAK}]*\d{{4}})))           # 1 Alien (1979)
        (?(bold)(?P=bold)?){BLANK}*+)?
    (?P<body>[^{BREAK}]*+)""",
    re.X,
)
LATE_START = re.compile(rf"[:.!?{CLOSE}]{BLANK}++([*_`(]*1[.)][*_`]*){BLANK}++(?=\S)")  # "Here you are: 1. A"
LETTER_BULLET = re.compile(r"[ivxIVX]\)")
LETTER_EDGES = "(.)-–— \t"  # of a marker that counts by letters
AVOIDED_MARK = re.compile("[❌🚫⛔👎✖✗✘]")


class Line(NamedTuple):
    """`start`: where its content starts, marker included; `text`: what stands behind the marker, from `body` on.

    `aside`: some sentences of it say what to avoid.
    """

    start: int
    body: int
    text: str
    number: int = 0  # 0: not numbered
    heading: bool = False
    aside: bool = False


class Lines(NamedTuple):
    numbered: list[Line]
    bullets: list[Line]
    nested: list[Line]  # numbered or bulleted, but deeper than the first of that kind
    plain: list[Line]
    rows: list[Line]  # of tables


class Parts(NamedTuple):
    """A line by itself. `first`, `body`: where its marker and its text begin; `number`, `unsure`: what its marker says,
    where `unsure` may also be part of a title; `late`: where "1." stands behind words, and where the text behind it."""

    indent: int  # columns
    first: int
    body: int
    text: str
    heading: bool
    bullet: str
    marker: str
    number: str
    unsure: str
    late: tuple[int, int] | None
    role: Role

    @property
    def marked(self) -> bool:
        return bool(self.bullet or self.number or self.unsure)


class Located(NamedTuple):
    """A line and where it starts in the text."""

    start: int
    parts: Parts


def located_lines(text: str, start: int, end: int) -> list[Located]:
    """All lines that are not empty."""
    return [Located(m.start(), parts_of(m[0])) for m in LINE.finditer(text, start, end)]


def parts_of(line: str) -> Parts:
    return _parts(line) if len(line) <= LONGEST else _parts.__wrapped__(line)


@lru_cache(maxsize=2**15)  # a policy writes the same lines again and again
def _parts(line: str) -> Parts:
    found = PARTS.match(line)
    assert found  # all its parts may be empty
    space, heading, bullet, marker, _, number, unsure, text = found.groups()
    body, text = found.start("body"), text.rstrip()
    late = LATE_START.search(text) if not (marker or bullet) else None
    role = role_of(text, bool(marker or bullet), bool(heading))
    if bullet and AVOIDED_MARK.match(bullet) and role is Role.NONE:
        role = Role.AVOIDED
    return Parts(
        len(space.expandtabs(4)) if space else 0,
        len(space),
        body,
        text,
        bool(heading),
        bullet or "",
        marker or "",
        number or "",
        unsure or "",
        (late.start(1), late.end()) if late else None,
        role,
    )


def sorted_lines(located: list[Located], numbers: bool = True) -> Lines:
    """The lines by kind, fields aside; without `numbers`, those that begin with a number are plain ones."""
    lines = Lines([], [], [], [], [])
    last = top = inner = 0  # last number, indent of the numbers, and of a list inside of an entry, if any
    bullet_top = -1
    for at, (start, parts) in enumerate(located):
        indent, first, body, text, heading, bullet, marker, number, unsure, late, role = parts
        if role is Role.FIELD and not (number or unsure):
            continue
        first, body = start + first, start + body
        count = int(number or 0)
        if unsure or (number and (bullet or not numbers)):
            count = _next_number(unsure or number, last) if numbers else 0
            if count == 1 and unsure.strip(LETTER_EDGES).isalpha() and not _goes_on(unsure, located, at):
                count = 0
            if not count and lines.bullets and LETTER_BULLET.fullmatch(unsure):  # a) … i)
                bullet = unsure
            elif not count:  # it is part of the title
                body, text, number = body - len(marker), marker + text, ""
        if numbers and late and not last:
            first, body, text, count = body + late[0], body + late[1], text[late[1] :], 1
        if count or number:
            nested = lines.numbered and indent > top + 1
            if nested and (count != last + 1 or 0 < inner <= indent):
                inner = min(inner or indent, indent)
                lines.nested.append(Line(first, body, text, count))
                continue
            inner, top = inner if nested else 0, min(top, indent) if lines.numbered else indent
            last = count
            lines.numbered.append(Line(first, body, text, count))
        elif bullet:
            bullet_top = indent if bullet_top < 0 else bullet_top
            (lines.nested if indent > bullet_top + 1 else lines.bullets).append(Line(first, body, text))
        else:
            kind = lines.rows if text.startswith("|") else lines.plain
            described = heading and at + 1 < len(located) and located[at + 1].parts.role is Role.FIELD
            kind.append(Line(first, body, text, 0, heading and not described, role is Role.ASIDE))
    return lines


def _next_number(mark: str, last: int) -> int:
    """The number in a marker that may be part of a title ("(500) Days of Summer"); 0 unless it goes on counting."""
    if digits := "".join(c for c in mark if c.isdecimal()):
        numbers = [int(digits)]
    elif "①" <= mark <= "⑳":
        numbers = [ord(mark) - ord("①") + 1]
    else:
        letters = mark.strip(LETTER_EDGES)
        numbers = [_roman(letters.upper())]
        if len(letters) == 1 and letters.isupper():
            numbers.append(ord(letters) - ord("A") + 1)
    return next((n for n in (last + 1, 1) if n in numbers), 0)


def _roman(letters: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}.get(c, 0) for c in letters]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True)) if all(values) else 0


def _goes_on(first: str, located: list[Located], at: int) -> bool:
    """Whether "I." or "A." is followed by "II." or "B.", so that it is no beginning of a title."""
    second = first.replace("I", "II").replace("i", "ii").replace("A", "B")
    return any(parts.unsure == second for _, parts in located[at + 1 : at + 40])
