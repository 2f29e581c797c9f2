"""Answers as every reader of tables can show them: nested and odd values as text."""

import json
from itertools import count

import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.printable import STEERING, one_line, visible
from oracle.log import sayable

_TEXTS = (pa.string(), pa.list_(pa.string()))


def flattened(table: pa.Table) -> pa.Table:
    """The table with nested values as JSON, other odd ones as text, enums in full, and each column's name once."""
    return pa.table(list(map(_flat, sayable(table).columns)), names=once(table.column_names))


def shown(rows: pa.Table) -> pa.Table:
    """The same rows, the control characters and direction overrides in names, texts and lists of texts shown by their numbers.

    It may be several times as large.
    """
    columns, names = rows.columns, once(list(map(one_line, rows.column_names)))
    cells = [_shown(column) if column.type in _TEXTS else column for column in columns]
    is_same = names == rows.column_names and all(cell is column for cell, column in zip(cells, columns, strict=True))
    return rows if is_same else pa.table(cells, names=names)


def _shown(column: pa.ChunkedArray) -> pa.ChunkedArray:
    texts = column if column.type == pa.string() else pc.list_flatten(column)
    if not pc.any(pc.match_substring_regex(texts, STEERING)).as_py():
        return column

    def clean(value: str | list | None) -> str | list | None:
        return [clean(v) for v in value] if isinstance(value, list) else value and visible(value)

    return pa.chunked_array([pa.array([clean(v) for v in column.to_pylist()], column.type)])


def once(names: list[str]) -> list[str]:
    """Names that each occur once: `n`, `n`, `m` become `n`, `n_2`, `m`."""
    taken, apart = set(names), list(names)
    for place, name in enumerate(names):
        if name in names[:place]:
            apart[place] = next(other for n in count(2) if (other := f"{name}_{n}") not in taken)
            taken.add(apart[place])
    return apart


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_dictionary(column.type):
        # An enum's text is there once, however many rows have it: what counts is how much they are in full.
        return column.cast(column.type.value_type)
    return _as_json(column) if pa.types.is_nested(column.type) else column


def _as_json(column: pa.ChunkedArray) -> pa.Array:
    written = (None if v is None else json.dumps(v, ensure_ascii=False) for v in column.to_pylist())
    return pa.array(written, pa.string())
