"""JSON sources: what a record or a document holds."""

import json
import zlib
from itertools import islice
from pathlib import Path

from oracle.base.errors import UserError
from oracle.base.unpacked import LARGEST, read_unpacked
from oracle.sources import kinds
from oracle.sources.kinds import Kind, Shape

_DDD = ("topicItemStats", "topicStats", "stats", "topics")
_DEFINITION = {"avoid", "prefer", "weights", "imdb_parent_guide"}


def kind_of_record(record: dict) -> Shape | None:
    """Return what a list of such objects is, by their keys; None where no kind fits."""
    names = [str(name) for name in record]
    if "traits" in record and "imdb_id" in kinds.columns_of(kinds.RISKS, names):
        return kinds.SENSITIVITY, {}, {}
    if {"movieMentions", "messages"} <= record.keys():
        return kinds.DIALOGS, {}, {}
    if isinstance(record.get("noun"), str):
        return kinds.DOMAIN, {}, {}
    item = record.get("item", record)
    if any(isinstance(record.get(name), list) for name in _DDD) and isinstance(item, dict) and "id" in item:
        return kinds.DDD, {}, {}
    if {"id", "title", "release_date"} <= record.keys() and {"adult", "keywords", "release_dates"} & record.keys():
        return kinds.TMDB, {}, {}
    if "trait" in record and _DEFINITION & record.keys():
        return kinds.TRAITS, {}, {}
    return kinds.kind_of_columns(names, {name: [str(value)] for name, value in record.items() if value is not None})


def kind_of_document(document: object) -> Kind | None:
    """Return the kind of a file that is one JSON object: trait definitions, or tags or severities by film id."""
    if not isinstance(document, dict) or not document:
        return None
    if isinstance(document.get("traits"), list) and "imdbId" not in document:
        return kinds.TRAITS
    telling = [value for value in islice(document.values(), 100) if value]
    for value in telling:  # one that is neither is a row to reject
        if _are_tags(value):
            return kinds.TAGS
        if isinstance(value, dict) and all(_is_severity(severity) for severity in value.values()):
            return kinds.SEVERITIES
    return None


def read_document(path: Path, largest: int = LARGEST) -> object:
    """Parse a whole file; raises `UserError` where it is no JSON, or unpacks to more than `largest` bytes."""
    try:
        return json.loads(read_unpacked(path, largest))
    except (ValueError, RecursionError, EOFError, OSError, zlib.error) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is no valid JSON ({error}): write it again") from None


def bindings_of(document: object) -> tuple[list[str], list[dict[str, str]]] | None:
    """(variables, rows of text) of a SPARQL query's results in JSON (W3C, 2013), which leave out what is not bound; else None."""
    if not isinstance(document, dict) or not isinstance(document.get("results"), dict):
        return None
    head, bindings = document.get("head"), document["results"].get("bindings")
    names = head.get("vars") if isinstance(head, dict) else None
    if not isinstance(bindings, list) or not isinstance(names, list):
        return None
    rows = [
        {
            str(name): str(value["value"])
            for name, value in (row.items() if isinstance(row, dict) else ())
            if isinstance(value, dict) and "value" in value
        }
        for row in bindings
    ]
    return [str(name) for name in names], rows


def rows_of_bindings(document: object, columns: dict[str, str]) -> list[dict[str, object]]:
    """Return the rows of a SPARQL query's results, as `raw` wants them: `columns` are name in `raw` -> variable."""
    found = bindings_of(document)
    assert found is not None
    return [
        {"row": number, "content": json.dumps(row, ensure_ascii=False)[:1000]}
        | {name: row.get(variable) for name, variable in columns.items()}
        for number, row in enumerate(found[1], start=1)
    ]


def rows_by_id(document: object, kind: Kind) -> list[dict[str, object]]:
    """Return the rows of an object {film id: tags or severities}, as `raw` wants them."""
    assert isinstance(document, dict)
    column = "tags" if kind is kinds.TAGS else "severities"
    return [
        {
            "row": row, "content": json.dumps({film: value}, ensure_ascii=False)[:1000], "imdb_id": film,
            column: _cell(value, kind),
        }
        for row, (film, value) in enumerate(document.items(), start=1)
    ]  # fmt: skip


def _cell(value: object, kind: Kind) -> str | None:
    if isinstance(value, str):
        return value
    return None if kind is kinds.TAGS and not _are_tags(value) else json.dumps(value, ensure_ascii=False)


def _are_tags(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(tag, str) for tag in value)


def _is_severity(value: object) -> bool:
    if isinstance(value, dict):  # votes a level, or a status beside them
        return "status" in value or "votes" in value or {str(key).lower() for key in value} >= kinds.SEVERITY_WORDS
    return (value in (0, 1, 2, 3) and not isinstance(value, bool)) or (
        isinstance(value, str) and value.lower() in kinds.SEVERITY_WORDS
    )
