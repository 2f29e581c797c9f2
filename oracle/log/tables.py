"""Rows as a file for other programs: .parquet as they are, .csv with lists and structs as JSON."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from oracle.base.parquet import bounded, on_disk

KINDS = (".csv", ".parquet")


def write_rows(batches: pa.RecordBatchReader, path: Path, kind: str) -> int:
    """Write rows to `path` as a file of the kind `.csv` or `.parquet`; how many they were."""
    with on_disk(path) as file:
        return _write_to(file, batches, kind)


def _write_to(file: BinaryIO, batches: pa.RecordBatchReader, kind: str) -> int:
    if kind == ".parquet":
        with pq.ParquetWriter(
            file, batches.schema, compression="zstd", write_statistics=bounded(batches.schema)
        ) as parquet:
            return _write(batches, parquet.write_batch)
    schema = pa.schema([(f.name, pa.string() if _needs_text(f.type) else f.type) for f in batches.schema])
    with pa_csv.CSVWriter(file, schema) as csv:
        return _write((_flat(batch, schema) for batch in batches), csv.write_batch)


def _write(batches: Iterable[pa.RecordBatch], write) -> int:
    rows = 0
    for batch in batches:
        write(batch)
        rows += batch.num_rows
    return rows


def _needs_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_nested(kind) or pa.types.is_interval(kind) or pa.types.is_decimal(kind) or pa.types.is_binary(kind)
    )


def _flat(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pa.array(map(_text, column.to_pylist()), pa.string()) if _needs_text(column.type) else column
        for column in batch.columns
    ]
    return pa.record_batch(columns, schema=schema)


def _text(value: object) -> str | None:
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return None if value is None else str(value)
