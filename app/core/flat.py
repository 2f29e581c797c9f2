"""Answers as every reader of tables can show them: nested and odd values as text."""

import json

import pyarrow as pa

from oracle.log import sayable


def flattened(table: pa.Table) -> pa.Table:
    """The table with nested values as JSON, other odd ones as text, and each column's name once."""
    columns = [_as_json(column) if pa.types.is_nested(column.type) else column for column in sayable(table).columns]
    return pa.table(columns, names=once(table.column_names))


def once(names: list[str]) -> list[str]:
    """Names that each occur once: `n`, `n`, `m` become `n`, `n_2`, `m`."""
    return [
        name if names[:i].count(name) == 0 else f"{name}_{names[: i + 1].count(name)}" for i, name in enumerate(names)
    ]


def _as_json(column: pa.ChunkedArray) -> pa.Array:
    written = (None if v is None else json.dumps(v, ensure_ascii=False) for v in column.to_pylist())
    return pa.array(written, pa.string())
