"""JSON sources: what a record or a document holds."""

import gzip
import json
from pathlib import Path

from oracle.base.errors import UserError
from oracle.sources import kinds
from oracle.sources.kinds import Kind, Shape

LARGEST_DOCUMENT = 200_000_000
_DEFINITION = {"avoid", "prefer", "weights", "imdb_parent_guide"}


def kind_of_record(record: dict) -> Shape | None:
    """Return what a list of such objects is, by their keys; None where no kind fits."""
    names = [str(name) for name in record]
    if "traits" in record and "imdb_id" in kinds.columns_of(kinds.RISKS, names):
        return kinds.SENSITIVITY, {}, {}
    if "trait" in record and _DEFINITION & record.keys():
        return kinds.TRAITS, {}, {}
    return kinds.kind_of_columns(names, {name: [str(value)] for name, value in record.items() if value is not None})


def kind_of_document(document: object) -> Kind | None:
    """Return the kind of a file that is one JSON object: trait definitions, or tags or severities by film id."""
    if not isinstance(document, dict) or not document:
        return None
    if isinstance(document.get("traits"), list):
        return kinds.TRAITS
    first = next(iter(document.values()))
    if isinstance(first, list) and all(isinstance(tag, str) for tag in first):
        return kinds.TAGS
    if isinstance(first, dict) and first and all(_is_severity(value) for value in first.values()):
        return kinds.SEVERITIES
    return None


def read_document(path: Path, compressed: bool) -> object:
    """Parse a whole file; raises `UserError` where it is no JSON, or too big to be read at once."""
    if path.stat().st_size > LARGEST_DOCUMENT:
        raise UserError(f"{path} is one JSON object of over {LARGEST_DOCUMENT:,} bytes: write it as a list of records")
    try:
        with gzip.open(path) if compressed else open(path, "rb") as file:
            return json.loads(file.read())
    except (ValueError, RecursionError, EOFError, OSError) as error:
        raise UserError(f"{path} is no valid JSON ({error}): write it again") from None


def rows_by_id(document: object, kind: Kind) -> list[dict[str, object]]:
    """Return the rows of an object {film id: tags or severities}, as `raw` wants them."""
    assert isinstance(document, dict)
    column = "tags" if kind is kinds.TAGS else "severities"
    return [
        {
            "row": row, "content": json.dumps({film: value}, ensure_ascii=False)[:1000], "imdb_id": film,
            column: json.dumps(value, ensure_ascii=False),
        }
        for row, (film, value) in enumerate(document.items(), start=1)
    ]  # fmt: skip


def _is_severity(value: object) -> bool:
    return value in (0, 1, 2, 3) or (isinstance(value, str) and value.lower() in kinds.SEVERITY_WORDS)
