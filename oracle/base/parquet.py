"""Parquet files that are on disk when they are done, and mislead no reader."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

GROUP_ROWS = 122_880  # as DuckDB writes them
GROUP_BYTES = 256_000_000


@contextmanager
def on_disk(path: Path) -> Iterator[BinaryIO]:
    """A new file, whose bytes are on disk at the end.

    The file that was written is the one to ask: a network disk that is full tells no other. (Arrow itself opens no file whose name
    is no UTF-8 text.)
    """
    with open(path, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def bounded(schema: pa.Schema) -> list[str]:
    """The columns of which a file may tell the least and the greatest value: none of floats.

    Parquet leaves NaN out of these, and DuckDB goes by them nevertheless: `where isnan(x)` would find nothing. (A name with a dot
    is a field of a struct to Arrow too.)
    """
    return [field.name for field in schema if not pa.types.is_floating(field.type) and "." not in field.name]


def write_parquet(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> int:
    """Write batches, brought to `schema`, as one file on disk; how many rows they were. In memory are about `GROUP_BYTES`."""
    with (
        on_disk(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd", write_statistics=bounded(schema)) as to,
    ):
        rows = 0
        waiting: list[pa.RecordBatch] = []

        def put() -> None:
            to.write_table(pa.Table.from_batches(waiting).cast(schema), row_group_size=2 * GROUP_ROWS)
            waiting.clear()

        for batch in batches:
            rows += batch.num_rows
            waiting.append(batch)
            if sum(b.num_rows for b in waiting) >= GROUP_ROWS or sum(b.nbytes for b in waiting) >= GROUP_BYTES:
                put()
        if waiting:
            put()
    return rows
