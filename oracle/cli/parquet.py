"""Films in Parquet files, wherever fsspec reaches: a path, a pattern, or an address such as s3://bucket/films/*.parquet."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oracle.base.errors import UserError, in_a_line
from oracle.base.files import check_readable
from oracle.base.unpacked import LARGEST, longest_column, nested_rows, texts_of
from oracle.titles import title_and_year

OPTIONAL = ("id", "constraints")
BATCH = 2**16


def is_parquet(url: str) -> bool:
    return "://" in url or url.endswith((".parquet", "/"))


def filesystem_of(url: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the path in it. Raises `UserError` for one that it doesn't know."""
    import fsspec

    try:
        return fsspec.core.url_to_fs(url)
    except (ImportError, ValueError, OSError) as error:  # ImportError names the package that is missing
        raise UserError(f"{url}: can't be reached ({in_a_line(error)})") from None


def files_at(url: str) -> tuple[Any, list[str]]:
    """The Parquet files of an address (a file, a pattern, or a folder), by name. Raises `UserError` where there is none."""
    filesystem, path = filesystem_of(url)
    try:
        pattern = path.rstrip("/") + "/*.parquet" if filesystem.isdir(path) else path
        paths = [path] if filesystem.isfile(path) else sorted(filesystem.glob(pattern))
    except Exception as error:  # of as many kinds as there are services
        raise UserError(f"{url}: can't be read ({in_a_line(error)})") from None
    if not paths:
        raise UserError(
            f"{url}: no such file; expected Parquet files with the columns title, year, perhaps constraints"
        )
    return filesystem, paths


def parquet_batches(url: str) -> Iterator[tuple[int, pa.Table]]:
    """Batches of films, each with the number of its first row, counted from 1 over all files."""
    filesystem, paths = files_at(url)
    row = 1
    for path in paths:
        if "://" not in url:
            check_readable(path)
        try:
            with filesystem.open(path, "rb") as content:
                schema = pq.read_schema(content)
                names = columns_of(schema.names, path)
                content.seek(0)
                file = pq.ParquetFile(content, read_dictionary=texts_of(schema))
                rows = min(BATCH, nested_rows(file.metadata, LARGEST, names))
                for batch in file.iter_batches(rows, columns=names):
                    if longest_column(batch) > LARGEST:
                        raise UserError(
                            f"{path}, row {row:,} and the following: a column of {len(batch):,} rows unpacks to over "
                            f"{LARGEST:,} bytes, which no flag allows; write it again without texts of such lengths"
                        )
                    yield row, films_of(_decoded(batch), path)
                    row += batch.num_rows
        except (OSError, pa.ArrowException) as error:
            raise UserError(f"cannot read {path} as Parquet: {in_a_line(error)}") from None


def _decoded(batch: pa.RecordBatch) -> pa.Table:
    columns = [c.dictionary_decode() if pa.types.is_dictionary(c.type) else c for c in batch.columns]
    return pa.table(columns, names=batch.schema.names)


def columns_of(names: list[str], path: str) -> list[str]:
    """Which of the columns that are read a file has. Raises `UserError` where one lacks that must be there."""
    if missing := {"title", "year"} - set(names):
        raise UserError(f"{path} lacks the column {', '.join(sorted(missing))}: it has {', '.join(names)}")
    return [name for name in (OPTIONAL[0], "title", "year", OPTIONAL[1]) if name in names]


def films_of(table: pa.Table, path: str) -> pa.Table:
    """Films as they are judged: title, year (int16), and what is there of id and constraints (text, names parted by ;)."""
    try:
        title, year = title_and_year(table)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    films = pa.table({"title": title, "year": pa.array(year, pa.int16(), mask=year < 0)})
    if "constraints" in table.column_names:
        films = films.append_column("constraints", _as_text(table["constraints"], path))
    if "id" in table.column_names:
        films = films.add_column(0, "id", table["id"])
    return films


def _as_text(constraints: pa.ChunkedArray, path: str) -> pa.ChunkedArray:
    kind = constraints.type
    if pa.types.is_null(kind):
        return constraints.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return constraints.cast(pa.string())
    try:
        joined = pc.binary_join(constraints.cast(pa.list_(pa.string())), ";")
    except pa.ArrowException:
        raise UserError(
            f"{path}: constraints are of type {kind}; expected lists of names, or names parted by ;"
        ) from None
    if joined.null_count > constraints.null_count:
        raise UserError(f"{path}: a constraint is null; expected the name of a trait")
    return joined
