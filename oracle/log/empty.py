"""A log's `_schema`: its files without rows, from which views know the columns."""

import os
import shutil
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from oracle.base.database import connect
from oracle.base.errors import UserError
from oracle.base.files import check_readable
from oracle.log.folders import FORMAT, MANIFEST, is_parquet, told_plainly
from oracle.log.macros import create_base
from oracle.log.schema import COMPLETIONS, LOSS, RUN, VERDICTS

_NUMBERED = range(FORMAT, 1, -1)  # format 1 had no number
SINGLE_SCHEMAS = (*(f"step-00000000-e00000000-f{n}" for n in _NUMBERED), "step-00000000")
MERGED_SCHEMAS = (
    *(f"steps-00000000-00000000-e00000000-f{n}" for n in _NUMBERED),
    "steps-00000000-00000000-0000000000-9999999999",
)
_SINGLE = ("completions", "verdicts")
_MERGED = (*_SINGLE, "rank_sums", "trait_sums")
SCHEMA_FILES = ("run.parquet", "manifest-00000000.parquet", "loss.parquet")
"""Folders and files without rows in `_schema`, one for each pattern of folders: DuckDB refuses a pattern that fits nothing."""


def ensure_schema(log_root: Path) -> None:
    """Make an empty log at `log_root` unless there is one: files without rows, from which views know the columns.

    A log of an older format gets those of this format as well. A broken one is left as it is.

    Raises:
        UserError: the folder lacks any of it and can't be written, or the log there is of a later format, or broken.
    """
    there = log_root / "_schema"
    with told_plainly(f"cannot read the run log {log_root}"):
        if later := [f.name for f in there.glob("step-*-f[0-9]") if int(f.name[-1]) > FORMAT]:
            raise UserError(
                f"the run log {log_root} has format {later[0][-1]}, and this program knows 1 to {FORMAT}: update it"
            )
        if os.path.lexists(there):
            _check_schema(there)
        if _is_whole(there):
            return
    new = log_root / f".tmp-{uuid.uuid4().hex}"
    try:
        _write_schema(new)
        if not there.is_dir():
            os.rename(new / "_schema", there)
            return
        for folder in (*SINGLE_SCHEMAS, *MERGED_SCHEMAS):
            if not (there / folder).is_dir():
                os.rename(new / "_schema" / folder, there / folder)
        for file in SCHEMA_FILES:
            os.replace(new / "_schema" / file, there / file)
    except OSError as error:
        if not _is_whole(there):  # else another process made it first
            raise UserError(_cannot_add(log_root, error.strerror or str(error))) from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _cannot_add(log_root: Path, why: str) -> str:
    if not (os.path.lexists(log_root / "_schema") or any(log_root.glob("[0-9]*/run.parquet"))):
        return f"cannot make a run log at {log_root}: {why}"
    return (
        f"the run log {log_root} lacks files in its folder _schema, as one of an older version does, and they can't be added "
        f"there: {why}; open it once where it can be written, or a copy of it and its store"
    )


def _check_schema(schema: Path) -> None:
    """Raises `UserError` for a `_schema` that no version has left so: without a file of its oldest format, or with a broken one."""
    oldest = (schema / "run.parquet", *(schema / name for name in (SINGLE_SCHEMAS[-1], MERGED_SCHEMAS[-1])))
    files = [
        schema / folder / f"{table}.parquet"
        for folders, tables in ((SINGLE_SCHEMAS, _SINGLE), (MERGED_SCHEMAS, _MERGED))
        for folder in folders
        if (schema / folder).is_dir()
        for table in tables
    ]
    files += [schema / file for file in SCHEMA_FILES if os.path.lexists(schema / file)]
    if wrong := [path for path in oldest if not path.exists()] + [path for path in files if not is_parquet(path)]:
        if wrong[0].is_file():
            check_readable(wrong[0])
        raise UserError(broken(schema, f"{wrong[0]} can't be read"))
    for folder in (SINGLE_SCHEMAS[0], MERGED_SCHEMAS[0]):
        for table, columns in (("completions", COMPLETIONS), ("verdicts", VERDICTS)):
            if (schema / folder).is_dir() and not _has(path := schema / folder / f"{table}.parquet", columns):
                raise UserError(broken(schema, f"{path} has other columns than this format"))


def _has(path: Path, columns: pa.Schema) -> bool:
    try:
        return pq.read_schema(path).equals(columns)
    except (OSError, pa.ArrowException):
        return False


def broken(schema: Path, what: str) -> str:
    return f"the run log {schema.parent} is broken: {what}; move its folder _schema away, which holds no rows: it is made anew"


def _is_whole(schema: Path) -> bool:
    """Whether it has all that this format needs."""
    if not all((schema / name).exists() for name in (*SINGLE_SCHEMAS, *MERGED_SCHEMAS, *SCHEMA_FILES)):
        return False
    try:
        return pq.read_schema(schema / "run.parquet").names == RUN.names
    except (OSError, pa.ArrowException):
        raise UserError(broken(schema, f"{schema / 'run.parquet'} can't be read")) from None


def _write_schema(root: Path) -> None:
    schema = root / "_schema"
    for folder in (*SINGLE_SCHEMAS, *MERGED_SCHEMAS):
        (schema / folder).mkdir(parents=True)
        pq.write_table(COMPLETIONS.empty_table(), schema / folder / "completions.parquet")
        pq.write_table(VERDICTS.empty_table(), schema / folder / "verdicts.parquet")
    pq.write_table(RUN.empty_table(), schema / "run.parquet")
    pq.write_table(MANIFEST.empty_table(), schema / "manifest-00000000.parquet")
    pq.write_table(LOSS.empty_table(), schema / "loss.parquet")
    with connect() as connection:
        create_base(connection, root)
        for name in ("rank_sums", "trait_sums"):
            columns = connection.sql(f"from single_{name}([]::varchar[]) limit 0").to_arrow_table()
            for folder in MERGED_SCHEMAS:
                pq.write_table(columns, schema / folder / f"{name}.parquet")
