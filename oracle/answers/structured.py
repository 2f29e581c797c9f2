"""Films out of JSON, wherever in the text it stands, or out of what looks like it (Python's lists, a cut-off object).

A small reader walks through brackets, keys and values, and knows for each film where it stands. It forgives what models
do: single quotes, commas that lack or are too many, an end that was cut off.
"""

import json
import re
from itertools import zip_longest
from typing import NamedTuple

from oracle.answers.entry import GIVEN_ID, YEARS, Entry
from oracle.answers.headings import Role, role_of
from oracle.answers.tables import film_of_fields

_ROOT = re.compile(  # at the start of a line, behind a list marker, or behind a label
    r"(?:^[^\S\n]*+(?:(?:[-*•>]|\d{1,3}[.)])[^\S\n]*+)?|[:=`>,][^\S\n]*+\n?[^\S\n]*+)(?P<open>[\[{])(?=\s*+(?:[\"'{\[(]|\Z))",
    re.M,
)
_FIRST = re.compile(r"[\s`]*+(?P<open>[\[{])(?=\s*+(?:[\"'{\[(]|\Z))")
_TOKEN = re.compile(
    r"""(?P<open>[\[{]|\((?=\s?["'\d])) | (?P<close>[\]})])
      | (?P<string>"(?>(?:[^"\\\n]|\\.)*)(?P<end>["\n]|\Z) | (?<=[\[{(,:\s])'(?>(?:[^'\\\n]|\\.|'(?=\w))*)(?P<end2>['\n]|\Z))
      | (?P<number>-?\d+(?:\.\d+)?) | (?P<colon>:) | (?P<junk>[A-Za-z]{12,})""",
    re.X | re.S,
)
_FOUR_DIGITS = re.compile(r"(?<!\d)\d{4}(?!\d)")
_DEEPEST = 64  # of brackets in brackets; no list of films has more
_TITLE_KEYS = [
    "title",
    "movietitle",
    "filmtitle",
    "moviename",
    "filmname",
    "movie",
    "film",
    "itemtitle",
    "itemname",
    "primarytitle",
    "name",
    "item",
    "show",
    "recommendation",
]  # the first that is there
_YEAR_KEYS = [
    "year",
    "releaseyear",
    "releasedate",
    "yearofrelease",
    "movieyear",
    "filmyear",
    "startyear",
    "released",
    "release",
    "premiered",
    "date",
]
_FILM_LISTS = re.compile(
    r"(?:final|top|my|the|best)?(?:recommend\w*|movies?|films?|titles?|items?|lists?|results?|answers?|picks?|suggest\w*|ranking|ranked\w*|watch\w*|safe\w*|output|response|data|entries)"
)
_NOT_RECOMMENDED = re.compile(
    r"(?:to)?avoid\w*|not\w*|dont\w*|exclu\w*|leftout|omitted|reject\w*|skip\w*|unsafe\w*|filtered\w*|removed\w*|dislike\w*|seen\w*|alreadyseen|watched\w*|liked\w*"
    r"|history|userlikes|preferences|input|query|drafts?|thoughts?|thinking|reasoning|analysis|candidates|considered\w*"
)
_NO_FILMS = re.compile(
    r"genres?|cast|actors?|stars|starring|directors?|directedby|writers?|authors?|tags|keywords|reasons?|constraints?|traits?|warnings?|contentwarnings|notes?"
    r"|themes?|languages?|countr(?:y|ies)|moods?|platforms?|streaming|similar\w*|studio|user|why|description|plot|summary|rating|imdb\w*|id|url|link|runtime"
)
_RANKED_KEY = re.compile(
    r"(?:rank|movie|film|title|item|recommendation|pick|no|number|choice)?\d{1,3}(?:st|nd|rd|th)?|answer|first|second|third|fourth|fifth"
)


class _Value(NamedTuple):
    """A string or number in an array or object."""

    key: str
    text: str
    start: int
    end: int
    number: bool


class _Film(NamedTuple):
    entry: Entry
    listed: bool  # below a key that says that it holds films
    alone: bool  # nothing but a string


class _Frame:
    """An object or an array that is being read."""

    def __init__(self, kind: str, start: int, key: str, named: tuple[str, int], parent: "_Frame | None"):
        self.kind, self.start, self.named = kind, start, named if key else ("", start)
        self.left_out: bool = bool(parent and parent.left_out) or bool(
            _NOT_RECOMMENDED.fullmatch(key) or _NO_FILMS.fullmatch(key)
        )
        self.listed: bool = bool(parent and parent.listed) or bool(_FILM_LISTS.fullmatch(key))
        self.nested = parent is not None
        self.values: list[_Value] = []
        self.films: list[_Film] = []

    def close(self, end: int) -> list[_Film]:
        """Its films, once it is read."""
        if self.left_out:
            return []
        films = self._of_object(end) if self.kind == "{" else self._of_array(end)
        return sorted([*self.films, *films], key=lambda film: film.entry.start) if films is not None else self.films

    def _film(
        self, title: str, year: str, start: int, end: int, given_id: str | None = None, alone: bool = False
    ) -> list[_Film]:
        return [_Film(e, self.listed, alone) for e in film_of_fields(title, year, start, end, given_id)]

    def _of_object(self, end: int) -> list[_Film]:
        fields = {value.key: value for value in reversed(self.values)}
        titles = [fields[key] for key in _TITLE_KEYS if key in fields and not fields[key].number]
        if titles and (not self.films or any(key in fields for key in _YEAR_KEYS)):
            dates = [_year(fields[key].text) for key in _YEAR_KEYS if key in fields]
            ids = [m[0] for v in self.values if (m := GIVEN_ID.search(v.text))]
            films = self._film(titles[0].text, next(filter(None, dates), ""), self.start, end, ids[0] if ids else None)
            if films:
                self.films = []
            return films
        dates = [_year(fields[key].text) for key in _YEAR_KEYS if key in fields]
        if any(dates) and self.named[0] and not self.films:  # "Coco": {"year": 2017}
            return self._film(self.named[0], next(filter(None, dates)), self.named[1], end)
        found = []
        for key, text, start, stop, number in self.values:
            if (
                number
                and not key.isdigit()
                and key not in _YEAR_KEYS
                and _year(text) == text
                and not _NO_FILMS.fullmatch(key)
            ):
                found += self._film(self._written[start], text, self._keys[start], stop)  # {"Coco": 2017}
            elif not number and _RANKED_KEY.fullmatch(key):
                found += self._film(text, "", start, stop, alone=True)
            elif not number and _year(self._written[start]) and self._written[start].rstrip().endswith(")"):
                found += self._film(self._written[start], "", self._keys[start], stop)  # {"Coco (2017)": "A boy …"}
        return found

    def _of_array(self, end: int) -> list[_Film]:
        texts = [v for v in self.values if not v.number]
        years = [v for v in self.values if v.number and _year(v.text)]
        if (
            self.nested
            and len(texts) == len(self.values) == 2
            and _year(texts[1].text) == texts[1].text
            and not _year(texts[0].text)
        ):
            texts, years = texts[:1], texts[1:]  # ["Coco", "2017"]
        if (
            self.nested and len(texts) >= 1 and len(years) == 1 and len(self.values) <= 3 and not self.films
        ):  # ["Coco", 2017]
            return self._film(texts[0].text, years[0].text, self.start, end)
        found = []
        for value, after in zip_longest(self.values, self.values[1:]):
            if not value.number:
                dated = after is not None and after.number and _year(after.text)
                found += self._film(
                    value.text,
                    after.text if dated and after else "",
                    value.start,
                    after.end if dated and after else value.end,
                    alone=not dated,
                )
        return found

    _written: dict[int, str]
    _keys: dict[int, int]


def from_json(text: str, start: int, end: int) -> tuple[list[Entry], bool]:
    """The films of all JSON in a stretch of text, and whether that is sure to be the list: strings alone in brackets,
    with words around, may also be a remark."""
    films: list[_Film] = []
    position, whole = start, False
    while root := (position == start and _FIRST.match(text, start, end)) or _ROOT.search(text, position, end):
        at = root.start("open")
        found, position = _read(text, at, end)
        whole = whole or not text[start:at].strip(" \t\r\n`")
        if found and role_of(_label(text, start, at)) not in (Role.AVOID, Role.AVOIDED):
            films += found
        position = max(position, root.end())
    if any(film.listed for film in films):
        films = [film for film in films if film.listed]
    sure = whole or any(film.listed or not film.alone or film.entry.year for film in films)
    return [film.entry for film in films], bool(films) and sure


def _label(text: str, start: int, at: int) -> str:
    """What stands before an opening bracket, in its line or else in the one above: "Avoid:"."""
    before = text[max(start, at - 200) : at]
    label = before[max(map(before.rfind, "\n]}")) + 1 :].strip(" `*>-\t")
    if not label or label == "json":
        above = before[: before.rfind("\n") + 1].rstrip(" \t\r\n`>").removesuffix("```json").rstrip(" \t\r\n`")
        label = above[above.rfind("\n") + 1 :]
    return label.strip(" `>-\t")


def _read(text: str, start: int, end: int) -> tuple[list[_Film], int]:
    """The films of the object or array that begins at `start`, and where it ends."""
    stack: list[_Frame] = []
    written: dict[int, str] = {}
    keys: dict[int, int] = {}
    string: _Value | None = None  # of which is not yet known whether it is a key
    key, key_text, key_start, stop = "", "", start, start
    for token in _TOKEN.finditer(text, start, end):
        stop = token.end()
        kind = token.lastgroup if token.lastgroup not in ("end", "end2") else "string"
        if string and kind != "colon":
            stack[-1].values.append(string)
            written[string.start], keys[string.start] = key_text, key_start
            string, key, key_text = None, "", ""
        if kind == "open":
            if len(stack) >= _DEEPEST:
                return [], stop
            frame = _Frame(token[0], token.start(), key, (key_text, key_start), stack[-1] if stack else None)
            frame._written, frame._keys = written, keys
            stack.append(frame)
            key = key_text = ""
        elif kind == "close":
            if (token[0] == ")") != (stack[-1].kind == "("):
                continue
            frame = stack.pop()
            found = frame.close(stop)
            if not stack:
                return found, stop
            stack[-1].films += found
            key = key_text = ""
        elif kind == "string":
            if token[0][-1] == "\n":  # no JSON
                return [], stop
            string = _Value(key, _unquoted(token["string"]), token.start(), stop, False)
        elif kind == "colon" and string:
            key, key_text, key_start = re.sub(r"[\W_]", "", string.text.lower()), string.text, string.start
            string = None
        elif kind == "number":
            stack[-1].values.append(_Value(key, token[0], token.start(), stop, True))
            written[token.start()], keys[token.start()] = key_text, key_start
            key = key_text = ""
        elif kind == "junk" and not key:
            return [], stop
    if string:
        stack[-1].values.append(string)
        written[string.start], keys[string.start] = key_text, key_start
    found = []
    while stack:  # cut off
        frame = stack.pop()
        frame.films += found
        found = frame.close(stop)
    return found, end


def _year(text: str) -> str:
    """The first release year that is written in a text; "" without one."""
    return next((m[0] for m in _FOUR_DIGITS.finditer(text) if int(m[0]) in YEARS), "")


def _unquoted(literal: str) -> str:
    try:
        return str(json.loads(literal, strict=False))
    except ValueError:  # cut off, or Python's
        return literal.strip("\"'")
