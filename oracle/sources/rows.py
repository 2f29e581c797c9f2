"""The rows of a table, whatever its format, as the temporary table `raw`: row, content, and the kind's columns as text.

`row` counts from 1, and in text tables the header is row 1. `content` is the row as it stands, for the rejects file.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from oracle.base.columns import csv_fault
from oracle.base.errors import UserError, in_a_line
from oracle.base.resources import read_sql
from oracle.base.unpacked import parquet_batches, read_unpacked
from oracle.sources.json_files import read_document, rows_by_id, rows_of_bindings
from oracle.sources.kinds import GENOME, Source

_DELIMITERS = {"csv": ",", "tsv": "\t", "semicolons": ";"}
_LARGEST_ROW = 16 << 20
_REJECT = pa.schema([("row", pa.int64()), ("content", pa.string()), ("reason", pa.string())])


def point_to(connection: duckdb.DuckDBPyConnection, source: Source, folder: Path) -> None:
    """Set the connection's variables path and compression to a source's file.

    The path is that of a link in `folder`: no name of a person's file can be taken for a pattern, nor its suffix for a
    compression.
    """
    link = folder / "source"
    link.unlink(missing_ok=True)
    link.symlink_to(source.path.resolve())
    connection.execute("set variable path = ?", [str(link)])
    connection.execute("set variable compression = ?", ["gzip" if source.compressed else "none"])


def read_rows(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Fill the temporary table `raw` from a source, and `rejects` with the lines that are no rows of it.

    Also fills `wide_columns` (name in `raw`, category). `point_to` comes first. Raises `UserError` for a file that
    breaks off or is not what its beginning says.
    """
    wide = {"name": list(_category_columns(source)), "category": list(source.categories.values())}
    connection.register("wide_rows", pa.table(wide, pa.schema([("name", pa.string()), ("category", pa.string())])))
    connection.execute(read_sql("sources/wide_columns"))
    connection.unregister("wide_rows")
    if source.format in ("json", "json lines", "json object"):
        read_records(connection, source)
        if source.kind.from_records:
            connection.execute(read_sql(f"sources/{source.kind.from_records}"))
            return
        _json_columns(connection.table("records"), source).create_view("raw_rows")
        connection.execute(read_sql("sources/genome_raw" if source.kind is GENOME else "sources/raw"))
        connection.execute("drop view raw_rows")
        return
    ragged: list[dict] = []
    broken: list[Exception] = []
    connection.register("raw_rows", _batches(source, ragged, broken))
    try:
        connection.execute(read_sql("sources/genome_raw" if source.kind is GENOME else "sources/raw"))
    except duckdb.Error:
        if not broken:
            raise
        raise _cut_off(source, broken) from None
    connection.unregister("raw_rows")
    if ragged:
        connection.from_arrow(pa.Table.from_pylist(ragged, _REJECT)).insert_into("rejects")


def read_records(connection: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Make the view `records` of a JSON file: a list, lines, or one object."""
    statements = {"json": ("json_list",), "json lines": ("lines", "json_lines"), "json object": ("json_object",)}
    if source.format == "json object":
        size = len(read_unpacked(source.path, source.largest))
        connection.execute("set variable size = ?", [size])
    for name in statements[source.format]:
        connection.execute(read_sql(f"sources/{name}"))


def _json_columns(records: duckdb.DuckDBPyRelation, source: Source) -> duckdb.DuckDBPyRelation:
    def value(key: str | None) -> duckdb.Expression:
        if key is None:
            return duckdb.ConstantExpression(None).cast("varchar")
        pointer = duckdb.ConstantExpression("/" + key.replace("~", "~0").replace("/", "~1"))
        return duckdb.FunctionExpression("json_extract_string", duckdb.ColumnExpression("json"), pointer)

    keys = source.columns | _category_columns(source)
    return records.select("row", "content", *(value(keys.get(name)).alias(name) for name in _names(source)))


def _category_columns(source: Source) -> dict[str, str]:
    """The columns of severities: c0, c1, ... in `raw` -> name in the file."""
    return {f"c{number}": name for number, name in enumerate(source.categories)}


def _names(source: Source) -> list[str]:
    """The columns of `raw` after row and content; c0 is always there, as SQL can't ask for a column that may not be."""
    return [*source.kind.columns, *(_category_columns(source) or ["c0"])]


def _batches(source: Source, ragged: list[dict], broken: list[Exception]) -> pa.RecordBatchReader:
    """Return row, content and the kind's columns.

    Lines of another width are left out and noted in `ragged`; what ends the reading is noted in `broken`.
    """
    names = ["row", "content", *_names(source)]
    schema = pa.schema([(name, pa.int64() if name == "row" else pa.string()) for name in names])

    def shaped() -> Iterator[pa.RecordBatch]:
        try:
            for batch in _cells(source, ragged):
                have = batch.schema.names
                columns = [batch[name] if name in have else pa.nulls(len(batch), pa.string()) for name in names]
                yield pa.record_batch(columns, schema=schema)
        except UnicodeEncodeError as error:
            half = ascii(error.object[error.start : error.end])
            broken.append(UserError(f"{source.path} has half a character, {half}: write it again as UTF-8"))
            raise
        except (pa.ArrowException, OSError, EOFError, MemoryError, UserError) as error:
            broken.append(error)
            raise

    return pa.RecordBatchReader.from_batches(schema, shaped())


@contextmanager
def row_batches(source: Source, ragged: list[dict]) -> Iterator[pa.RecordBatchReader]:
    """Yield the rows of a table that is no part of a store: row, content and the kind's columns as text.

    Lines of another width are left out and noted in `ragged` (row, content, reason). Raises `UserError` for a file that
    breaks off or is not what its beginning says.
    """
    broken: list[Exception] = []
    try:
        yield _batches(source, ragged, broken)
    except duckdb.Error:
        if not broken:
            raise
        raise _cut_off(source, broken) from None


def _cut_off(source: Source, broken: list[Exception]) -> UserError:
    if isinstance(broken[0], UserError):
        return broken[0]
    said, told = in_a_line(broken[0]), csv_fault(broken[0])
    if told != said:
        return UserError(f"{source.path} is no table that can be read to its end: {told}")
    return UserError(f"{source.path} cannot be read to its end ({said}): make it again")


def _cells(source: Source, ragged: list[dict]) -> Iterator[pa.RecordBatch]:
    if source.rows is not None:
        yield from _pickled(source.rows)
    elif source.format == "json by id":
        rows = rows_by_id(read_document(source.path, source.largest), source.kind)
        yield from pa.Table.from_pylist(rows).to_batches()
    elif source.format == "sparql":
        document = read_document(source.path, source.largest)
        columns = source.columns | _category_columns(source)
        yield from pa.Table.from_pylist(rows_of_bindings(document, columns)).to_batches()
    elif source.format == "parquet":
        yield from _parquet(source)
    else:
        yield from _text_table(source, ragged)


def _pickled(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    title = rows["title"].fill_null("")  # Arrow joins columns of nulls alone to no rows at all
    written = pc.binary_join_element_wise(title, rows["year"], rows["imdb_id"], ",", null_handling="skip")
    rows = rows.set_column(0, "content", pc.coalesce(rows["content"], written))
    yield from rows.add_column(0, "row", pa.array(np.arange(1, len(rows) + 1))).to_batches()


def _parquet(source: Source) -> Iterator[pa.RecordBatch]:
    used = source.columns | _category_columns(source)
    first = 1
    for batch in parquet_batches(source.path, source.largest, 1 << 16, list(dict.fromkeys(used.values()))):
        columns = {name: _as_text(batch[column]) for name, column in used.items()}
        yield _numbered(pa.array(np.arange(first, first + len(batch))), columns)
        first += len(batch)


def _text_table(source: Source, ragged: list[dict]) -> Iterator[pa.RecordBatch]:
    invalid: list[int] = []

    def note(row: pa_csv.InvalidRow) -> str:
        reason = f"{row.actual_columns} columns instead of {row.expected_columns}"
        if "\n" in row.text:
            reason += ", over several lines: a quote may not be closed"
        ragged.append({"row": row.number, "content": row.text, "reason": reason})
        invalid.append(row.number)
        return "skip"

    used = source.columns | _category_columns(source)
    # Of a path that is not whole, Arrow takes a ~ for the home.
    with pa.input_stream(source.path.absolute(), compression="gzip" if source.compressed else None) as stream:
        reader = pa_csv.open_csv(
            stream,
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=_LARGEST_ROW),
            parse_options=pa_csv.ParseOptions(
                delimiter=_DELIMITERS[source.format],
                quote_char=False if source.format == "tsv" else '"',  # as IMDb writes it: a quote is a character
                newlines_in_values=True,
                invalid_row_handler=note,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(used.values(), pa.string()),
                include_columns=list(dict.fromkeys(used.values())),
            ),
        )
        following = 2
        for batch in reader:
            # Rows that were left out have numbers too; those of later batches can't be among these.
            candidates = np.arange(following, following + len(batch) + len(invalid))
            numbers = np.setdiff1d(candidates, invalid)[: len(batch)]
            following = int(numbers[-1]) + 1 if len(numbers) else following
            yield _numbered(pa.array(numbers), {name: batch[column] for name, column in used.items()})


def _numbered(row: pa.Array, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    content = pc.binary_join_element_wise(*columns.values(), ",", null_handling="replace")
    return pa.record_batch([row, content, *columns.values()], names=["row", "content", *columns])


def _as_text(column: pa.Array) -> pa.Array:
    """The text of any column; nested values as JSON."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type):
        values = column.to_pylist(maps_as_pydicts="strict")
        texts = [None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in values]
        return pa.array(texts, pa.string())
    return column.cast(pa.string())
