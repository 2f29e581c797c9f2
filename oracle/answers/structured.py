"""Films out of answers that are JSON or a Markdown table."""

import json
import re

from oracle.answers.entry import Entry, read

JSON_HEAD = re.compile(r"\s*[\[{]\s*[\"'{\[]")
JSON_FENCE = re.compile(r"```(?:json)?(?=\s*[\[{]\s*[\"'{\[])")
JSON_STRING = re.compile(  # in an array, or behind a number: {"1": "Heat"}; Python's quotes will do
    r"""(?:[\[,]|"\d+"\s*:)\s*("(?:[^"\\]|\\.)*+(?:"|\Z)|'(?:[^'\\]|\\.)*+(?:'|\Z))(?!\s*:)""", re.S
)
JSON_OBJECT = re.compile(r"\{[^{}]*+\}?")
JSON_TITLE = re.compile(r'"(?:title|name|movie|film)"\s*:\s*("(?:[^"\\]|\\.)*+(?:"|\Z))', re.I | re.S)
JSON_YEAR = re.compile(r'"(?:release_?)?year"\s*:\s*"?(\d{4})(?!\d)', re.I)


def from_json(text: str, start: int, end: int) -> list[Entry]:
    """Objects that have a title, else the strings in arrays, if the text is JSON or has a block of it."""
    if not JSON_HEAD.match(text, start, end):
        fence = JSON_FENCE.search(text, start, end)
        if not fence:
            return []
        start, closing = fence.end(), text.find("```", fence.end(), end)
        end = end if closing < 0 else closing
    found: list[tuple[str, str, int, int]] = []
    for item in JSON_OBJECT.finditer(text, start, end):
        if key := JSON_TITLE.search(text, *item.span()):
            number = JSON_YEAR.search(text, *item.span())
            found.append((key[1], number[1] if number else "", *item.span()))
    strings = [(m[1], "", *m.span(1)) for m in JSON_STRING.finditer(text, start, end)] if not found else []
    return [e for title, year, a, b in found or strings for e in _entry(_unquoted(title), year, a, b)]


def _entry(title: str, year: str, start: int, end: int) -> list[Entry]:
    """The entry whose title, and year if there is one, stand in fields of their own; [] where the title is empty."""
    reading = read(f"{title} ({year})" if year else title)
    return [Entry(start, end, reading.title, reading.year, True)] if reading.title else []


def _unquoted(literal: str) -> str:
    try:
        return str(json.loads(literal, strict=False))
    except ValueError:  # cut off, or Python's
        return literal.strip("\"'")


def from_table(rows: list[tuple[int, int, str]]) -> list[Entry]:
    """Rows of a Markdown table, each as (start, end, text).

    Titles stand in the column whose head says so, else in the first that holds no ranks.
    """
    cells = [[cell.strip() for cell in text.strip("|").split("|")] for _, _, text in rows]
    ruler = next((i for i, row in enumerate(cells) if all(re.fullmatch(r":?-+:?", c) for c in row)), -1)
    head = cells[ruler - 1] if ruler > 0 else []
    named = next((i for i, c in enumerate(head) if re.search(r"title|movie|film|name", c, re.I)), None)
    found: list[Entry] = []
    for row, (start, end, _) in list(zip(cells, rows, strict=True))[ruler + 1 :]:
        ranked = len(row) > 1 and re.fullmatch(r"\W{0,4}\d{0,3}\W{0,4}", row[0])
        at = named if named is not None else int(bool(ranked))
        if at < len(row):
            years = [cell for i, cell in enumerate(row) if i != at and re.fullmatch(r"\d{4}", cell)]
            found += _entry(row[at], years[0] if years else "", start, end)
    return found
