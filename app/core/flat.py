"""Answers as every reader of tables can show them: nested and odd values as text."""

import json

import pyarrow as pa


def flattened(table: pa.Table) -> pa.Table:
    """The table with nested and odd values as text (JSON), and each column's name once."""
    columns = [column if _is_plain(column.type) else _as_text(column) for column in table.columns]
    return pa.table(columns, names=once(table.column_names))


def once(names: list[str]) -> list[str]:
    """Names that each occur once: `n`, `n`, `m` become `n`, `n_2`, `m`."""
    return [
        name if names[:i].count(name) == 0 else f"{name}_{names[: i + 1].count(name)}" for i, name in enumerate(names)
    ]


def is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _is_plain(kind: pa.DataType) -> bool:
    plain = (pa.types.is_boolean, pa.types.is_string, pa.types.is_date, pa.types.is_timestamp, pa.types.is_time)
    return is_number(kind) or any(is_such(kind) for is_such in plain)


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    written = (
        None if v is None else _json(v) if pa.types.is_nested(column.type) else str(v) for v in column.to_pylist()
    )
    return pa.array(written, pa.string())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
