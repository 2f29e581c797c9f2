"""Rows as a file for other programs: .parquet as they are, .csv with lists and structs as JSON."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from oracle.base.arrow import is_utc, utc_as_text
from oracle.base.parquet import on_disk, write_parquet

KINDS = (".csv", ".parquet")


def write_rows(batches: Iterable[pa.RecordBatch], columns: pa.Schema, path: Path, kind: str) -> int:
    """Write rows to `path` as a file of the kind `.csv` or `.parquet`; how many they were."""
    return (write_parquet if kind == ".parquet" else _write_csv)(batches, columns, path)


def _write_csv(batches: Iterable[pa.RecordBatch], columns: pa.Schema, path: Path) -> int:
    rows = 0
    schema = pa.schema([(f.name, pa.string() if _needs_text(f.type) or is_utc(f.type) else f.type) for f in columns])
    with on_disk(path) as file, pa_csv.CSVWriter(file, schema) as csv:
        for batch in batches:
            csv.write_batch(_flat(batch, schema))
            rows += batch.num_rows
    return rows


def _needs_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_nested(kind) or pa.types.is_interval(kind) or pa.types.is_decimal(kind) or pa.types.is_binary(kind)
    )


def _flat(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pa.array(map(_text, column.to_pylist()), pa.string()) if _needs_text(column.type) else utc_as_text(column)
        for column in batch.columns
    ]
    return pa.record_batch(columns, schema=schema)


def _text(value: object) -> str | None:
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return None if value is None else str(value)
