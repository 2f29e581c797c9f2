"""Columns of Arrow as numpy has them, and the other way round, without a copy where there need be none."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def array_of(table: pa.Table, name: str) -> pa.Array:
    """A column of a table that has one chunk or none."""
    return table[name].chunk(0) if table[name].num_chunks else pa.array([], table[name].type)


def numbers_of(table: pa.Table, name: str) -> np.ndarray:
    """A column of numbers without nulls, not copied."""
    return array_of(table, name).to_numpy()


def records_of(table: pa.Table, name: str, record: np.dtype) -> np.ndarray:
    """A column of records, not copied."""
    column = array_of(table, name)
    return np.frombuffer(column.buffers()[1], record, len(column)) if len(column) else np.empty(0, record)


def array_of_records(records: np.ndarray) -> pa.FixedSizeBinaryArray:
    """Records as a column."""
    return pa.Array.from_buffers(pa.binary(records.itemsize), len(records), [None, pa.py_buffer(records)])


def booleans_of(values: pa.BooleanArray) -> np.ndarray:
    """Booleans as numpy has them, null = False. (Arrow's own way would import pandas.)"""
    if values.null_count:
        values = values.fill_null(False)
    if len(values) == 0:
        return np.empty(0, np.bool_)
    bits = np.frombuffer(values.buffers()[1], np.uint8)
    return np.unpackbits(bits, count=values.offset + len(values), bitorder="little")[values.offset :].view(np.bool_)


def bits_of(flags: np.ndarray) -> pa.Buffer:
    """Flags (bool) as Arrow has them, in bits."""
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def flags_of(flags: np.ndarray) -> pa.BooleanArray:
    """Flags (bool) as a column."""
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, bits_of(flags)])


def in_full(rows: pa.Table) -> pa.Table:
    """The same rows, times with fractions of a second as text: a table for people would cut these off, or round them."""
    columns = [utc_as_text(c).cast(pa.string()) if _has_fractions(c) else c for c in rows.columns]
    is_same = all(cell is column for cell, column in zip(columns, rows.columns, strict=True))
    return rows if is_same else pa.table(columns, names=rows.column_names)


def utc_as_text(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Moments of UTC as Arrow writes them, "2026-11-29 22:54:33.123456Z"; any other column as it is.

    For that Arrow asks the system's list of time zones, which small images of containers lack.
    """
    if not is_utc(column.type):
        return column
    return pc.binary_join_element_wise(_without_zone(column).cast(pa.string()), "Z", "")


def is_utc(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz == "UTC"


def _without_zone(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    return column.cast(pa.timestamp(column.type.unit)) if is_utc(column.type) else column


def _has_fractions(column: pa.ChunkedArray) -> bool:
    kind = column.type
    return (pa.types.is_timestamp(kind) or pa.types.is_time(kind)) and bool(
        pc.any(pc.greater(pc.subsecond(_without_zone(column)), 0)).as_py()
    )
