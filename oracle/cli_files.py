"""Verdicts on the films of a file, a batch at a time: the file may be larger than memory."""

import json
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from oracle.errors import UserError
from oracle.verdict import Oracle

COLUMNS = {"title": pa.string(), "year": pa.int16(), "constraints": pa.string()}


def check_file(oracle: Oracle, path: Path, avoid: list[str], out: Path | None, as_json: bool) -> None:
    """Judge the films of a CSV file with the columns title, year and perhaps constraints; write one row for each.

    `avoid` holds for all films, besides what the column constraints (trait names parted by ;) says. Raises `UserError`
    for a file that cannot be read or written, and for a name that fits no trait.
    """
    verdicts = (_judged(oracle, batch, oracle.resolve_traits(avoid)) for batch in _batches(path))
    if as_json:
        for table in verdicts:
            for row in table.to_pylist():
                print(json.dumps(row))
        return
    if out is not None and out.suffix not in (".csv", ".parquet"):
        raise UserError(f"cannot write {out}: expected a name that ends in .csv or .parquet")
    first = next(verdicts, None)
    if first is None:
        raise UserError(f"{path} has no rows; expected at least one film")
    try:
        _write(first, verdicts, out)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UserError(f"cannot write {out}: {error.strerror or error}") from None


def _batches(path: Path) -> Iterator[pa.Table]:
    try:
        options = pa_csv.ConvertOptions(
            column_types=COLUMNS, strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        with pa_csv.open_csv(path, convert_options=options) as reader:
            missing = {"title", "year"} - set(reader.schema.names)
            if missing:
                raise UserError(
                    f"{path} lacks the column {', '.join(sorted(missing))}: it has {', '.join(reader.schema.names)}"
                )
            for batch in reader:
                yield pa.table(batch)
    except pa.ArrowInvalid as error:
        raise UserError(f"cannot read {path} as CSV: {' '.join(str(error).split())}") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _judged(oracle: Oracle, films: pa.Table, avoid: list[str]) -> pa.Table:
    own = (
        pc.split_pattern(films["constraints"], ";").to_pylist()
        if "constraints" in films.column_names
        else [None] * len(films)
    )
    wanted = [
        list(dict.fromkeys(avoid + oracle.resolve_traits(name.strip() for name in names or () if name.strip())))
        for names in own
    ]
    batch = films.select(["title", "year"]).append_column("constraints", pa.array(wanted, pa.list_(pa.string())))
    verdicts = oracle.check_batch(batch)
    for name in verdicts.column_names:
        batch = batch.append_column(name, verdicts[name])
    return batch


def _write(first: pa.Table, others: Iterator[pa.Table], out: Path | None) -> None:
    if out is not None and out.suffix == ".parquet":
        with pq.ParquetWriter(out, first.schema) as writer:
            for table in chain([first], others):
                writer.write_table(table)
        return
    first = _flat(first)
    with pa_csv.CSVWriter(sys.stdout.buffer if out is None else str(out), first.schema) as writer:
        writer.write_table(first)
        for table in others:
            writer.write_table(_flat(table))


def _flat(table: pa.Table) -> pa.Table:
    """Return the table without nested columns: lists as texts parted by ;, evidence left out."""
    for name in ("constraints", "violated_traits"):
        place = table.column_names.index(name)
        table = table.set_column(place, name, pc.binary_join(table[name], "; "))
    return table.drop_columns(["evidence"])
