"""Files that are read at once: what they unpack to is counted, and held to a limit that a flag raises."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from oracle.base.errors import UserError
from oracle.base.files import check_readable

if TYPE_CHECKING:  # slow to import: behind --help
    import pyarrow as pa

LARGEST_MB = 1000
LARGEST = LARGEST_MB * 1_000_000  # bytes
MAX_MB_HELP = "unpacked size of a file that must be read at once, in megabytes"
_ROWS = 4096  # of Parquet that are unpacked together


def bytes_of(max_mb: int) -> int:
    """The limit that `--max_mb` sets, in bytes. Raises `UserError` below 1."""
    if max_mb < 1:
        raise UserError(f"--max_mb {max_mb}: expected at least 1")
    return max_mb * 1_000_000


def too_large(path: str | Path, largest: int) -> UserError:
    """What is told of a file that unpacks to more than `largest` bytes."""
    return UserError(
        f"{path} must be read at once, and unpacks to over {largest:,} bytes: allow more by --max_mb "
        f"(it is {largest // 1_000_000:,}; reading takes several times as much memory)"
    )


def read_unpacked(path: str | Path, largest: int) -> bytes:
    """The bytes of a file, unpacked where gzip packed it.

    Raises `UserError` as `check_readable`, and where they are more than `largest`; OSError, EOFError or zlib.error where
    the file is broken.
    """
    check_readable(path)
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if not packed and os.stat(path).st_size > largest:
        raise too_large(path, largest)
    with gzip.open(path) if packed else open(path, "rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise too_large(path, largest)
    return content


def read_parquet(path: str | Path, largest: int) -> "pa.Table":
    """A Parquet file as a table. Raises `UserError` as `read_unpacked`; OSError or ArrowException where it is broken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_readable(path)
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > largest:
            raise too_large(path, largest)
        batches = list(_within(path, file.iter_batches(_rows_at_once(groups, largest)), largest))
        return pa.Table.from_batches(batches, file.schema_arrow)


def _rows_at_once(groups: list, largest: int) -> int:
    """Rows that can't unpack to much more than `largest` bytes: a value that is written once may stand in each of them."""
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    longest = max((column.total_uncompressed_size for column in columns), default=0)
    return max(1, min(_ROWS, largest // max(longest, 1)))


def _within(path: str | Path, batches: "Iterator[pa.RecordBatch]", largest: int) -> "Iterator[pa.RecordBatch]":
    total = 0
    for batch in batches:
        total += batch.nbytes
        if total > largest:
            raise too_large(path, largest)
        yield batch
