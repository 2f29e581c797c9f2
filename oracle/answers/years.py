"""Years that stand in a line of their own below the title ("Year: 2017"), or that only the whole list makes sure of.

"2017: Coco" may be a title, as "2001: A Space Odyssey" is, and so may "Coco 2017", as "Wonder Woman 1984" is. Where most
entries of a list are written so, they are titles with years.
"""

import re
from typing import NamedTuple

from oracle.answers.entry import GIVEN_ID, Entry, read, sane_year
from oracle.answers.headings import FIELD, Role
from oracle.answers.lines import Located

_YEAR = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_FIRST = re.compile(r"^(\d{4})(?:\s*[:：,|]\s*|\s+[-–—]\s+|\s+)(?=\S)")
_LAST = re.compile(r"(?<=\S)[\s,]+(\d{4})$")


def with_fields(located: list[Located], entries: list[Entry]) -> list[Entry]:
    """Entries without a year or an id have those of the fields between them and their neighbours; the span grows."""
    fields = _fields(located) if entries else []
    if not fields:
        return entries
    above = fields[0].start < entries[0].start and fields[-1].start < entries[-1].start
    found, unread = [], iter([*fields, None])
    field = next(unread)
    for i, entry in enumerate(entries):
        if above:
            low, high = entries[i - 1].end if i else 0, entry.start
        else:
            low, high = entry.end, entries[i + 1].start if i + 1 < len(entries) else field.start + 10**9 if field else 0
        while field and field.start < high:
            if field.start >= low:
                entry = _with_field(entry, field)
            field = next(unread)
        found.append(entry)
    return found


class _Field(NamedTuple):
    start: int
    end: int
    year: int | None
    given_id: str | None


def _with_field(entry: Entry, field: _Field) -> Entry:
    gives_year = field.year and entry.year is None and (entry.given_id or not entry.dated)
    if not gives_year and (entry.given_id or not field.given_id):
        return entry
    return Entry(
        min(entry.start, field.start),
        max(entry.end, field.end),
        entry.title,
        entry.year or (field.year if gives_year else None),
        True,
        entry.given_id or field.given_id,
    )


def _fields(located: list[Located]) -> list[_Field]:
    """The lines that give a year or an id."""
    found = []
    for start, parts in located:
        if parts.role is Role.FIELD and not parts.number and (field := FIELD.match(parts.text)):
            years = _YEAR.search(field["bare"] or field["value"]) if field["year"] or field["bare"] else None
            ids = GIVEN_ID.search(field["link"] or field["value"]) if field["id"] or field["link"] else None
            year = sane_year(years[1]) if years else None
            if year or ids:
                found.append(
                    _Field(start + parts.first, start + parts.body + len(parts.text), year, ids[0] if ids else None)
                )
    return found


def with_years_of_the_list(entries: list[Entry]) -> list[Entry]:
    """Entries that are all written "2017: Coco" or "Coco 2017", read so."""
    undated = [e for e in entries if not e.dated]
    for form, split in ((_FIRST, _behind), (_LAST, _before)):
        found = [(e, m) for e in undated if (m := form.search(e.title)) and sane_year(m[1])]
        years = {m[1] for _, m in found}
        if len(years) > 1 and len(found) >= 0.6 * len(entries):
            read_again = {e.start: split(e, m) for e, m in found}
            return [read_again.get(e.start, e) for e in entries]
    return entries


def _behind(entry: Entry, found: re.Match[str]) -> Entry:
    title = read(entry.title[found.end() :]).title
    return entry._replace(title=title, year=sane_year(found[1]), dated=True) if title else entry


def _before(entry: Entry, found: re.Match[str]) -> Entry:
    title = read(entry.title[: found.start()]).title
    return entry._replace(title=title, year=sane_year(found[1]), dated=True) if title else entry
