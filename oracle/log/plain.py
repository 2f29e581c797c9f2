"""Values of types that other programs don't know, or can't hold, as the text that DuckDB writes for them."""

import io
from collections.abc import Callable

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oracle.base.database import connect

# Arrow has none of these, or another value: its decimals end below uhugeint's largest, and its times have no zone.
_UNKNOWN = {
    "interval",
    "union",
    "bit",
    "bignum",
    "uhugeint",
    "time with time zone",
    "variant",
    "geometry",
}
_DAY_US = 86_400_000_000
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # of the years 1 and 9999, since 1970


def known_to_arrow(rows: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The same rows; columns that hold a type which Arrow hasn't, at any depth, become text, and then all lose their names."""
    if not any(map(_is_unknown, rows.types)):
        return rows
    casts = ("::varchar" if _is_unknown(kind) else "" for kind in rows.types)
    return rows.project(", ".join(f"#{place}{cast}" for place, cast in enumerate(casts, start=1)))


def _is_unknown(kind: duckdb.sqltypes.DuckDBPyType) -> bool:
    if kind.id in _UNKNOWN:
        return True
    if kind.id not in ("list", "array", "struct", "map"):
        return False
    kinds = (child for _, child in kind.children)  # an array's size is a number among them
    return any(_is_unknown(child) for child in kinds if isinstance(child, duckdb.sqltypes.DuckDBPyType))


def sayable(rows: pa.Table) -> pa.Table:
    """The same rows for a table, JSON or CSV: what these have no form for becomes text.

    That is bytes, times beyond the years 1 to 9999 (infinite ones), and what nests times, bytes, decimals or keys that are no
    text.
    """
    return _as_text_unless(_is_sayable, rows)


def storable(rows: pa.Table) -> pa.Table:
    """The same rows for Parquet: what it has no type for, such as a struct without fields, or seconds without end, becomes text."""
    return _as_text_unless(_is_storable, rows)


def _as_text_unless(fits: Callable[[pa.ChunkedArray], bool], rows: pa.Table) -> pa.Table:
    odd = [place for place, column in enumerate(rows.columns) if not fits(column)]
    if not odd:
        return rows
    chosen = pa.table([rows.column(place) for place in odd], names=[f"c{place}" for place in odd])
    with connect() as connection:
        texts = connection.from_arrow(chosen).project(", ".join(f"#{n}::varchar" for n in range(1, len(odd) + 1)))
        said = texts.to_arrow_table()
    columns = list(rows.columns)
    for place, text in zip(odd, said.columns, strict=True):
        columns[place] = text
    return pa.Table.from_arrays(columns, names=rows.column_names)


def _is_sayable(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if pa.types.is_temporal(kind):
        return _is_in_range(column)
    return pa.types.is_decimal(kind) or _is_plain(kind)


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    if pa.types.is_map(kind):
        return pa.types.is_string(kind.key_type) and _is_plain(kind.item_type)
    if pa.types.is_nested(kind):
        return all(_is_plain(kind.field(number).type) for number in range(kind.num_fields))
    return (
        pa.types.is_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    )


def _is_storable(column: pa.ChunkedArray) -> bool:
    seconds = "timestamp[s" in str(column.type)  # Parquet has milliseconds, and too few of them for infinity
    if not (seconds or pa.types.is_nested(column.type)):
        return True
    try:
        pq.write_table(pa.table({"c": column if seconds else column[:0]}), io.BytesIO())
    except pa.ArrowException:
        return False
    return True


def _is_in_range(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if pa.types.is_date32(kind):
        lowest, highest = _FIRST_DAY, _LAST_DAY
    else:
        ticks = {"s": 1_000_000, "ms": 1000, "us": 1, "ns": 0.001}[kind.unit]
        lowest, highest = (0, _DAY_US - 1) if pa.types.is_time(kind) else (_FIRST_DAY * _DAY_US, _LAST_DAY * _DAY_US)
        lowest, highest = int(lowest / ticks), int(highest / ticks)
    # Of nanoseconds, as of no other unit, infinity is a number of a moment before 9999.
    lowest, highest = max(lowest, 2 - 2**63), min(highest, 2**63 - 2)
    found = pc.min_max(column.cast(pa.int32() if kind.bit_width == 32 else pa.int64())).as_py()
    return found["min"] is None or lowest <= found["min"] <= found["max"] <= highest
