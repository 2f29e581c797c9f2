"""Files that are read at once: what they unpack to is counted, and held to a limit that a flag raises."""

import codecs
import gzip
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from oracle.base.errors import UserError
from oracle.base.files import check_readable

if TYPE_CHECKING:  # slow to import: behind --help
    import pyarrow as pa
    import pyarrow.parquet as pq

LARGEST_MB = 1000
LARGEST = LARGEST_MB * 1_000_000  # bytes
MOST_MB = 1_000_000_000
MAX_MB_HELP = "unpacked size of a file that must be read at once, or is packed to less than a 50th, in megabytes"
MOST_TIMES = 50  # tables as published are packed to a third or a tenth; a made-up one to a thousandth
MOST_PACKED = 1032  # times that gzip can pack
_TAR_MARK = slice(257, 262)
_PACKINGS = {
    b"ustar": "a tar archive",
    b"PK\x03\x04": "a ZIP archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x1f\x8b": "compressed by gzip",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"(\xb5/\xfd": "compressed by zstd",
    b"%PDF": "a PDF",
}
_ROWS = 4096  # of Parquet that are unpacked together


def bytes_of(max_mb: int) -> int:
    """The limit that `--max_mb` sets, in bytes. Raises `UserError` below 1, and where no file can be so large."""
    if not 1 <= max_mb <= MOST_MB:
        raise UserError(f"--max_mb {max_mb}: expected at least 1, and at most {MOST_MB}")
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
    size = os.stat(path).st_size
    if not packed and size > largest:
        raise too_large(path, largest)
    with gzip.open(path) if packed else open(path, "rb") as file:
        content = file.read(min(largest, MOST_PACKED * size) + 1)  # Python takes as much memory as it may read
    if len(content) > largest:
        raise too_large(path, largest)
    return content


def utf_8_of(path: str | Path, content: bytes, is_whole: bool = True) -> str:
    """The text of a file, or of its beginning, without a mark of its encoding. Raises `UserError` for what is packed, and for
    other encodings."""
    if packing := packing_of(content):
        raise UserError(f"{path} is {packing}: unpack it first")
    if encoding := _wide_encoding(content):
        raise UserError(f"{path} is {encoding} text: save it as UTF-8")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(content, is_whole)
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start:,}): save it as UTF-8") from None


def packing_of(content: bytes) -> str | None:
    """What packed a file, by its first bytes; null for one that isn't packed."""
    return next(
        (s for mark, s in _PACKINGS.items() if content.startswith(mark) or content[_TAR_MARK].startswith(mark)), None
    )


def _wide_encoding(content: bytes) -> str | None:
    """UTF-32 or UTF-16, by its mark or by the NULs beside plain letters."""
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    share = content[:1024].count(0) / max(1, len(content[:1024]))
    return {True: "UTF-16", False: "UTF-32"}[share < 0.6] if 0.3 < share < 0.8 else None


def check_packed(path: str | Path, largest: int) -> None:
    """Count what a file of gzip unpacks to, whose rows are read one after another.

    Raises `UserError` where that is more than `largest` bytes and more than `MOST_TIMES` its size; OSError, EOFError or
    zlib.error where the file is broken.
    """
    most, total = max(largest, MOST_TIMES * os.stat(path).st_size), 0
    with gzip.open(path) as file:
        while piece := file.read(1 << 20):
            total += len(piece)
            if total > most:
                raise UserError(
                    f"{path} unpacks to over {most:,} bytes: allow more by --max_mb (it is {largest // 1_000_000:,}; "
                    f"to {MOST_TIMES} times its size a packed table always may), or unpack it first"
                )


def as_it_is(path: str | Path) -> str:
    """A path as Arrow must have it: of a leading "~" it would make the home."""
    return os.path.abspath(path)


def read_parquet(path: str | Path, largest: int) -> "pa.Table":
    """A Parquet file as a table. Raises `UserError` as `read_unpacked`; OSError or ArrowException where it is broken."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_readable(path)
    with pq.ParquetFile(as_it_is(path)) as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > largest:
            raise too_large(path, largest)
        batches = list(_within(path, file.iter_batches(_rows_at_once(groups, largest)), largest))
        return pa.Table.from_batches(batches, file.schema_arrow)


def parquet_batches(
    path: str | Path, largest: int, rows: int, columns: list[str] | None = None
) -> "Iterator[pa.RecordBatch]":
    """The columns of a Parquet file, at most `rows` rows at a time; those of texts as dictionaries.

    A text that is written once may stand in each row. Raises `UserError` where a column in these rows would take more than
    `largest` bytes, before it does; OSError or ArrowException where the file is broken.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(as_it_is(path)) as file:
        texts = texts_of(file.schema_arrow)
        rows = min(rows, nested_rows(file.metadata, largest, columns))
    with pq.ParquetFile(as_it_is(path), read_dictionary=texts) as file:
        for batch in file.iter_batches(rows, columns=columns):
            if longest_column(batch) > largest:
                raise UserError(
                    f"{path} has {len(batch):,} rows of which a column unpacks to over {largest:,} bytes: allow more by "
                    f"--max_mb (it is {largest // 1_000_000:,})"
                )
            yield batch


def texts_of(schema: "pa.Schema") -> list[str]:
    """The columns of texts or bytes, to be read as dictionaries."""
    import pyarrow as pa

    return [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]


def nested_rows(metadata: "pq.FileMetaData", largest: int, columns: Collection[str] | None = None) -> int:
    """Rows of which no list or struct takes much more than an eighth of `largest` bytes: these can't be read as dictionaries."""
    parts = [metadata.schema.column(number).path.partition(".") for number in range(metadata.num_columns)]
    nested = [n for n, (name, _, inner) in enumerate(parts) if inner and (columns is None or name in columns)]
    groups = map(metadata.row_group, range(metadata.num_row_groups if nested else 0))
    longest = max((group.column(n).total_uncompressed_size for group in groups for n in nested), default=0)
    return max(1, largest // 8 // longest) if longest else sys.maxsize


def longest_column(batch: "pa.RecordBatch") -> int:
    """Bytes of the column that takes the most once its texts stand in each row; 0 for numbers alone."""
    import pyarrow as pa

    return max((_size(column) for column in batch.columns if not pa.types.is_primitive(column.type)), default=0)


def _size(column: "pa.Array") -> int:
    """Bytes of a column, each text counted in each of its rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return column.nbytes
    try:
        lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    except pa.ArrowNotImplementedError:  # of numbers
        return column.nbytes
    return pc.sum(lengths.take(column.indices)).as_py() or 0


def _rows_at_once(groups: list, largest: int) -> int:
    """Rows that can't unpack to much more than `largest` bytes: a value that is written once may stand in each of them."""
    columns = (group.column(number) for group in groups for number in range(group.num_columns))
    longest = max((column.total_uncompressed_size for column in columns), default=0)
    return max(1, min(_ROWS, largest // max(longest, 1)))


def _within(path: str | Path, batches: "Iterator[pa.RecordBatch]", largest: int) -> "Iterator[pa.RecordBatch]":
    total = 0
    for batch in batches:
        total += sum(map(_size, batch.columns))
        if total > largest:
            raise too_large(path, largest)
        yield batch
