"""Verdicts on the films of a file, a batch at a time: the file may be larger than memory."""

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from oracle.base.columns import csv_fault
from oracle.base.errors import UserError
from oracle.base.files import check_readable, check_writable, written_whole
from oracle.base.parquet import bounded
from oracle.base.printable import one_line
from oracle.base.unpacked import utf_8_of
from oracle.cli.parquet import is_parquet, parquet_batches
from oracle.oracle import Oracle

COLUMNS = ("id", "title", "year", "constraints")
HEADER = 2**16  # bytes that the first line may have


def check_file(oracle: Oracle, path: str, avoid: list[str], out: Path | None, as_json: bool) -> None:
    """Judge the films of a CSV file, or of Parquet files, with the columns title, year and perhaps id and constraints;
    write one row for each.

    `path`: a path, or for Parquet what `files_at` takes. `avoid` holds for all films, besides what the column constraints
    (trait names parted by ;, or in Parquet a list) says. Raises `UserError` for a file that cannot be read or written, and
    for a name that fits no trait.
    """
    wanted = oracle.resolve_traits(avoid)
    batches = parquet_batches(path) if is_parquet(path) else _batches(Path(path))
    verdicts = (judged(oracle, path, batch, wanted, row) for row, batch in batches)
    if as_json and out is not None:
        raise UserError("--json prints; expected it without --out, or --out without it")
    if as_json:
        for table in verdicts:
            for row in table.to_pylist():
                print(json.dumps(row))
        return
    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise UserError(f"cannot write {out}: expected a name that ends in .csv or .parquet")
    if out is not None:
        check_writable(out, inputs=[path])
    first = next(verdicts, None)
    if first is None:
        raise UserError(f"{path} has no rows; expected at least one title")
    try:
        if out is None:
            _write(first, verdicts, sys.stdout.buffer, _printable if sys.stdout.isatty() else _flat)
        else:
            _write_whole(first, verdicts, out)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UserError(f"cannot write {out}: {error.strerror or error}") from None


def _batches(path: Path) -> Iterator[tuple[int, pa.Table]]:
    """Batches of films, each with the number of its first row, counted from 1."""
    check_readable(path)
    try:
        with io.BufferedReader(io.FileIO(path), HEADER) as file:
            options = pa_csv.ConvertOptions(
                include_columns=_columns(path, file.peek(HEADER)),
                column_types=dict.fromkeys(COLUMNS, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],  # "NULL" and "NA" are films
            )
            row = 1
            for batch in pa_csv.open_csv(file, convert_options=options):
                table = pa.table(batch)
                years = _years(path, table["year"].combine_chunks(), row)
                yield row, table.set_column(table.column_names.index("year"), "year", years)
                row += len(table)
    except pa.ArrowInvalid as error:
        raise UserError(f"cannot read {path} as CSV: {csv_fault(error)}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _columns(path: Path, head: bytes) -> list[str]:
    """Return which of the columns a file has, by its first line."""
    try:
        names = next(csv.reader([utf_8_of(path, head, is_whole=False).partition("\n")[0]]), [])
    except csv.Error as error:
        raise UserError(f"cannot read {path} as CSV: {error}; save it with line feeds and quoted texts") from None
    if missing := {"title", "year"} - set(names):
        raise UserError(f"{path} lacks the column {', '.join(sorted(missing))}: it has {', '.join(names)[:200]}")
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise UserError(f"{path} has the column {twice[0]} more than once; expected it once")
    return [name for name in COLUMNS if name in names]


def _years(path: Path, text: pa.StringArray, first_row: int) -> pa.Int16Array:
    """Read years, "" = not given; also as "2004.0", which is how pandas writes them when some are missing."""
    text = pc.replace_substring_regex(pc.utf8_trim_whitespace(text), r"\.0$", "")
    text = pc.if_else(pc.equal(text, ""), None, text)
    wrong = pc.index(pc.match_substring_regex(text, "^[0-9]{1,4}$"), False).as_py()
    if wrong >= 0:
        raise UserError(
            f"{path}, row {first_row + wrong}: the year {text[wrong].as_py()!r} is none; expected one such as 2004, or nothing"
        )
    return text.cast(pa.int16())


def judged(oracle: Oracle, path: str, films: pa.Table, avoid: list[str], first_row: int | None) -> pa.Table:
    """Films and their verdicts. is_safe is true only for what is known to be safe; for what is not known, null or false.

    `first_row`: the number of the first one, for messages; None where it isn't known.
    """
    wanted = _wanted(oracle, path, films, avoid, first_row)
    named = [name for name in ("id", "title", "year") if name in films.column_names]
    batch = films.select(named).append_column("constraints", wanted)
    verdicts = oracle.check_batch(batch)
    for name in verdicts.column_names:
        batch = batch.append_column(name, verdicts[name])
    unknown = pc.is_in(batch["status"], pa.array(["unresolved", "unrated"]))
    is_safe = pc.if_else(pc.and_kleene(unknown, batch["is_safe"]), None, batch["is_safe"])
    return batch.set_column(batch.column_names.index("is_safe"), "is_safe", is_safe)


def _wanted(oracle: Oracle, path: str, films: pa.Table, avoid: list[str], first_row: int | None) -> pa.Array:
    """(n,) list<string>: the full names of what each film's row, and `avoid`, want avoided."""
    if "constraints" not in films.column_names:
        return pa.array([avoid] * len(films), pa.list_(pa.string()))
    texts = films["constraints"].fill_null("").combine_chunks().dictionary_encode()
    lists = []
    for number, text in enumerate(texts.dictionary.to_pylist()):
        try:
            own = oracle.resolve_traits(name.strip() for name in text.split(";") if name.strip())
        except UserError as error:
            if first_row is None:
                raise UserError(f"{path}: {error}") from None
            row = first_row + pc.index(texts.indices, pa.scalar(number, texts.indices.type)).as_py()
            raise UserError(f"{path}, row {row}: {error}") from None
        lists.append(list(dict.fromkeys(avoid + own)))
    return pa.array(lists, pa.list_(pa.string())).take(texts.indices)


def _write_whole(first: pa.Table, others: Iterator[pa.Table], out: Path) -> None:
    """Write a file that is there when all of it is."""
    with written_whole(out) as part, open(part, "wb") as file:
        if out.suffix == ".parquet":
            with pq.ParquetWriter(file, first.schema, write_statistics=bounded(first.schema)) as writer:
                for table in chain([first], others):
                    writer.write_table(table)
        else:
            _write(first, others, file, _flat)


def _write(first: pa.Table, others: Iterator[pa.Table], file: BinaryIO, form: Callable[[pa.Table], pa.Table]) -> None:
    first = form(first)
    with pa_csv.CSVWriter(file, first.schema) as writer:
        writer.write_table(first)
        for table in others:
            writer.write_table(form(table))


def _flat(table: pa.Table) -> pa.Table:
    """Return the table without nested columns: lists as texts parted by ;, evidence left out."""
    for name in ("constraints", "violated_traits", "unrated_traits"):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pc.binary_join(table[name], "; "))
    return table.drop_columns(["evidence"])


def _printable(table: pa.Table) -> pa.Table:
    """Return the flat table as a terminal may have it: titles, ids and years of others steer it otherwise."""
    table = _flat(table)
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        if pa.types.is_string(column.type):
            texts = [None if text is None else one_line(text) for text in column.to_pylist()]
            table = table.set_column(place, name, pa.array(texts, pa.string()))
    return table
