"""Films out of XML fields: "<movie><title>Coco</title><year>2017</year></movie>", `<movie title="Coco" year="2017"/>`."""

import html
import re
from typing import NamedTuple

from oracle.answers.entry import GIVEN_ID, Entry
from oracle.answers.tables import film_of_fields

_LEAF = re.compile(r"<(?P<name>[A-Za-z_][\w-]{0,30})(?:\s[^<>]{0,200})?>(?P<value>[^<]*+)</(?P=name)\s*>")
_ATTRIBUTES = re.compile(r"<(?:movie|film|item|recommendation|entry|show)\s[^<>]{0,400}>", re.I)
_ATTRIBUTE = re.compile(r"""([\w-]{1,30})\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""")
_TITLES = frozenset(
    ["title", "movietitle", "moviename", "filmtitle", "filmname", "name", "movie", "film", "item", "recommendation"]
)
_YEARS = frozenset(["year", "releaseyear", "releasedate", "date", "movieyear", "filmyear", "released"])
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")


class _Field(NamedTuple):
    kind: str  # "title", "year" or "id"
    value: str
    start: int
    end: int


def from_xml(text: str, start: int, end: int) -> list[Entry]:
    """Each title with the year and the id that stand between it and its neighbours."""
    if text.find("</", start, end) < 0 and text.find("/>", start, end) < 0:
        return []
    attributed = [e for tag in _ATTRIBUTES.finditer(text, start, end) for e in _of_attributes(tag)]
    if attributed:
        return attributed
    fields = [field for leaf in _LEAF.finditer(text, start, end) if (field := _field(leaf))]
    titles = [i for i, field in enumerate(fields) if field.kind == "title"]
    if not titles:
        return []
    before = fields[0].kind != "title" and fields[-1].kind == "title"  # the year stands above its title
    found = []
    for i, at in enumerate(titles):
        first = (titles[i - 1] + 1 if i else 0) if before else at
        last = at if before else (titles[i + 1] - 1 if i + 1 < len(titles) else len(fields) - 1)
        group = fields[first : last + 1]
        year = next((f.value for f in group if f.kind == "year"), "")
        given_id = next((f.value for f in group if f.kind == "id"), None)
        found += film_of_fields(fields[at].value, year, group[0].start, group[-1].end, given_id)
    return found


def _field(leaf: re.Match[str]) -> _Field | None:
    name, value = re.sub(r"[\W_]", "", leaf["name"].lower()), html.unescape(leaf["value"].strip())
    if name in _TITLES:
        return _Field("title", value, *leaf.span()) if value else None
    if name in _YEARS and (year := _YEAR.search(value)):
        return _Field("year", year[0], *leaf.span())
    if (name.startswith("imdb") or name in ("id", "url", "link")) and (given_id := GIVEN_ID.search(value)):
        return _Field("id", given_id[0], *leaf.span())
    return None


def _of_attributes(tag: re.Match[str]) -> list[Entry]:
    values = {
        m[1].lower().replace("_", "").replace("-", ""): html.unescape(m[2] or m[3] or "")
        for m in _ATTRIBUTE.finditer(tag[0])
    }
    title = next((values[name] for name in ("title", "movietitle", "name") if name in values), "")
    year = next((m[0] for name in _YEARS if name in values and (m := _YEAR.search(values[name]))), "")
    given_id = GIVEN_ID.search(tag[0])
    return film_of_fields(title, year, *tag.span(), given_id[0] if given_id else None) if title else []
