"""Films out of tables: Markdown's, HTML's, and rows of values behind a line of column names ("title,year")."""

import html
import re
from collections.abc import Iterator

from oracle.answers.entry import GIVEN_ID, Entry, read, sane_year
from oracle.answers.headings import avoids
from oracle.answers.lines import Line, Located

Row = tuple[int, int, list[str]]  # start, end, cells

_TITLE_NAME = re.compile(
    r"\W*(?:(?:movie|film|item)?[ _]?(?:title|name)|movies?|films?|recommend(?:ed|ations?)?.{0,20}|picks?)\W*", re.I
)
_YEAR_NAME = re.compile(r"\W*(?:(?:release[ds]?|movie|film)?[ _]?(?:year|date)|released?|year of release)\W*", re.I)
_NAME = re.compile(r"[\"*_ ]*[^\W\d]?[\w #.\"*/-]{0,30}")
_RULE = re.compile(r"\s*:?-+:?\s*")
_RANK = re.compile(r"\W{0,4}\d{0,3}\W{0,4}")
_YEARS = re.compile(r"\D{0,3}(\d{4})(?:[–/-]\s?\w{0,7}){0,2}\D{0,2}")
_REFUSED = re.compile(r"\W*(?:avoid|not recommended|skip|❌|🚫)\W*", re.I)
_CELLS = {
    mark: re.compile(rf'(?:\s*"((?>(?:[^"]|"")*))"\s*|([^{mark}]*+))(?:{mark}|$)') for mark in ("\\|", "\t", ";", ",")
}
_MARKS = frozenset("|\t;,")
_HTML_ROW = re.compile(r"<tr\b[^<>]{0,200}>(?>(?:(?!<tr\b)(?!</tr>).)*)", re.I | re.S)
_HTML_CELL = re.compile(r"<(t[hd])\b[^<>]{0,200}>((?>(?:(?!</?t[hdr]\b).)*))", re.I | re.S)
_HTML_TAG = re.compile(r"<[^<>]{0,200}>")


def from_table(rows: list[Line]) -> list[Entry]:
    """Films of the lines that begin with "|"."""
    if not rows:
        return []
    table = [
        (
            r.start,
            r.body + len(r.text),
            [cell.strip() for cell in r.text.removeprefix("|").removesuffix("|").split("|")],
        )
        for r in rows
    ]
    ruler = next((i for i, (_, _, cells) in enumerate(table) if all(map(_RULE.fullmatch, cells))), -1)
    if ruler < 0 and _names(table[0][2]):
        ruler = 1
        table.insert(1, table[0])
    return _films(table[ruler + 1 :], table[ruler - 1][2] if ruler > 0 else [])


def from_html(text: str, start: int, end: int) -> list[Entry]:
    """Films of the rows of a <table>, whose first row may name the columns."""
    if text.find("<tr", start, end) < 0:
        return []
    rows: list[Row] = []
    head: list[str] = []
    for row in _HTML_ROW.finditer(text, start, end):
        cells = [*_HTML_CELL.finditer(row[0])]
        values = [html.unescape(_HTML_TAG.sub("", cell[2])).strip() for cell in cells]
        if cells and all(cell[1].lower() == "th" for cell in cells):
            head = values
        elif values:
            rows.append((row.start(), row.start() + len(row[0].rstrip()), values))
    if not head and rows and _names(rows[0][2]):
        head, rows = rows[0][2], rows[1:]
    return _films(rows, head)


def from_columns(text: str, located: list[Located]) -> list[Entry]:
    """Films of the rows below the first line that names columns, one of them the title's, with the same mark between."""
    for i, (start, parts) in enumerate(located):
        if not parts.marked and names_columns(parts.text):
            head, cells = next(_heads(parts.text))
            rows: list[Row] = []
            for below, row in located[i + 1 :]:
                whole = text[below : below + row.body + len(row.text)]
                values = _split(whole.lstrip(), cells)
                if len(values) < 2 or text.count("\n", rows[-1][1] if rows else start, below) > 1:
                    break
                if not all(map(_RULE.fullmatch, values)):
                    rows.append((below + len(whole) - len(whole.lstrip()), below + len(whole), values))
            return _films(rows, head)
    return []


def names_columns(text: str) -> bool:
    """Whether a line names the columns of a table: "title,year"."""
    return not _MARKS.isdisjoint(text) and not text.startswith("|") and len(text) <= 200 and any(_heads(text))


def _heads(text: str) -> Iterator[tuple[list[str], re.Pattern[str]]]:
    for mark, cells in _CELLS.items():
        if mark[-1] in text and _names(head := _split(text, cells)):
            yield head, cells


def _split(line: str, cells: re.Pattern[str]) -> list[str]:
    return [(m[1].replace('""', '"') if m[1] is not None else m[2]).strip() for m in cells.finditer(line) if m[0]]


def _names(cells: list[str]) -> bool:
    """Whether these are names of columns, one of them of titles and another of years, ranks or what else a film has."""
    titles = sum(_TITLE_NAME.fullmatch(cell) is not None for cell in cells)
    others = sum(_YEAR_NAME.fullmatch(cell) is not None or cell.strip('*_ "').lower() in _OTHERS for cell in cells)
    return titles > 0 and others > 0 and all(map(_NAME.fullmatch, cells))


_OTHERS = frozenset(
    [
        "rank",
        "#",
        "no",
        "no.",
        "position",
        "id",
        "imdb",
        "imdb_id",
        "tconst",
        "genre",
        "genres",
        "director",
        "rating",
        "reason",
        "why",
        "notes",
        "verdict",
    ]
) | {"imdb id", "imdb link"}


def _films(rows: list[Row], head: list[str]) -> list[Entry]:
    """Titles stand in the column whose name says so, else in the first that holds more than ranks and years."""
    titled = next((i for i, c in enumerate(head) if _TITLE_NAME.fullmatch(c) and not avoids(c)), None)
    if titled is None:
        titled = next(
            (i for i, c in enumerate(head) if re.search(r"title|movie|film|name", c, re.I) and not avoids(c)), None
        )
    dated = next((i for i, c in enumerate(head) if _YEAR_NAME.fullmatch(c) and i != titled), None)
    if titled is None:
        width = max((len(cells) for *_, cells in rows), default=0)
        counts = [[cells[i] for *_, cells in rows if i < len(cells)] for i in range(min(width, 8))]
        full = [
            sum(not (_RANK.fullmatch(c) or _YEARS.fullmatch(c)) for c in column) * 2 > len(column) for column in counts
        ]
        titled = next(
            (i for i, f in enumerate(full) if f), int(len(counts) > 1 and all(map(_RANK.fullmatch, counts[0])))
        )
    found: list[Entry] = []
    for start, end, cells in rows:
        if titled >= len(cells) or any(i != titled and _REFUSED.fullmatch(c) for i, c in enumerate(cells)):
            continue
        others = [cells[dated]] if dated is not None and dated < len(cells) else cells
        years = [
            m[1]
            for i, c in enumerate(others)
            if (others is not cells or i != titled) and (m := _YEARS.fullmatch(c)) and sane_year(m[1])
        ]
        given_id = next((m[0] for c in cells if (m := GIVEN_ID.search(c))), None)
        found += film_of_fields(cells[titled], years[0] if years else "", start, end, given_id)
    return found


def film_of_fields(title: str, year: str, start: int, end: int, given_id: str | None = None) -> list[Entry]:
    """The entry whose title, and year if there is one, stand in fields of their own; [] where the title is empty."""
    if not any(map(str.isalnum, title)):
        return []
    reading = read(f"{title} ({year})" if year else title)
    if year and not reading.dated:  # "[0] (2000)" is no title, and nor is "[0]"
        reading = read(title)._replace(year=sane_year(year))
    given_id = given_id or reading.given_id
    return [Entry(start, end, reading.title, reading.year, True, given_id)] if reading.title else []
