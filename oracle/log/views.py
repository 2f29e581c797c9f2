"""The run log as SQL: connections that have its views, and queries with a time limit."""

import math
import os
import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from oracle.base.database import check_path, connect
from oracle.base.errors import UserError, first_line
from oracle.base.resources import read_sql
from oracle.log.folders import FORMAT, MANIFEST, is_parquet
from oracle.log.plain import known_to_arrow
from oracle.log.schema import COMPLETIONS, LOSS, RUN, VERDICTS
from oracle.log.select import check_reads_only, what_duckdb_said
from oracle.log.state import PATIENCE_S as SEARCH_S
from oracle.log.state import find_broken, pattern_of, set_aside, state_of, tell_of_state
from oracle.rewards import reward_kinds

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

GRACE_S = 5.0
"""Seconds that folders stay which no longer count: longer than a query takes from listing its files to opening them.
A shorter time would show nobody a wrong figure, only now and then an error "no such file"."""
ATTEMPTS = 20
PAUSE_S = 0.1
PATIENCE_S = 60.0
AGAIN_S = 0.1  # between two interrupts of what takes too long

_ARROWS: dict[str, type[duckdb.Error]] = {
    "IO Error": duckdb.IOException,
    "INTERRUPT Error": duckdb.InterruptException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "Permission Error": duckdb.PermissionException,
}
"""How DuckDB's errors begin that mean more than that the statement failed."""

T = TypeVar("T")

VIEWS = (
    "views/sums",
    "views/step_curves",
    "views/rank_penalties",
    "views/run_summary",
    "views/trait_breakdown",
    "views/violations",
    "views/film_penalties",
    "views/titles",
    "views/disagreement",
    "log/evasion_rules",
    "views/evasion_signals",
    "views/what_if",
    "views/rederivation",
    "views/why",
    "views/compare_runs",
    "views/export",
)


def open_log(log_root: str | Path) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with every view and macro over the log at `log_root`.

    It holds no file open between queries, takes no lock, and sees each step as soon as it is finished.

    Raises:
        UserError: no log at `log_root`.
    """
    root = Path(log_root).absolute()
    check_path(root, "\\")
    if not (root / "_schema").is_dir() and not any(root.glob("[0-9]*/run.parquet")):
        raise UserError(f"no run log at {root}: train or evaluate with a store beside it, or name another store")
    connection = connect()
    connection.execute("set timezone = 'UTC'")
    create_log_views(connection, root)
    tell_of_state(root)
    set_aside(connection, root)
    return connection


def create_log_views(connection: duckdb.DuckDBPyConnection, log_root: str | Path) -> None:
    """Create the log's views and macros in `connection`, over the absolute path of `log_root`.

    In a store's file they make the log readable by plain DuckDB, without any code of this project. Where the log has
    moved, `SET VARIABLE log_root = '<path>'` overrides the path. Makes an empty log where there is none.

    Raises:
        UserError: no log can be made at `log_root`, or the one there is broken.
    """
    root = Path(log_root).absolute()
    ensure_schema(root)
    try:
        create_base(connection, root)
        for name in VIEWS:
            connection.execute(read_sql(name))
    except (duckdb.IOException, duckdb.OutOfMemoryException):  # of a store that is being written
        raise
    except duckdb.Error as error:
        raise UserError(_broken(root / "_schema", first_line(error))) from None
    connection.execute("reset variable log_runs")


def create_base(connection: duckdb.DuckDBPyConnection, log_root: Path) -> None:
    """Create what the views are built on: the log's tables, and the sums of single steps."""
    default = quoted(pattern_of(log_root))
    connection.execute(f"create or replace macro log_root() as coalesce(getvariable('log_root'), {default})")
    # A view looks at its files once when it is made: let it look at the empty ones only.
    connection.execute("set variable log_runs = '_schema'")
    connection.execute(f"create or replace macro log_format() as {FORMAT}")
    for name in ("log/tables", "log/sums"):
        connection.execute(read_sql(name))
    kinds = ", ".join(f"({', '.join(map(_literal, kind.values()))})" for kind in reward_kinds())
    columns = ", ".join(quoted_name(name) for name in reward_kinds()[0])
    connection.execute(f"create or replace macro reward_kinds() as table from (values {kinds}) as kinds ({columns})")


def ensure_schema(log_root: Path) -> None:
    """Make an empty log at `log_root` unless there is one: files without rows, from which views know the columns.

    A log of an older format gets those of this format as well. A broken one is left as it is.

    Raises:
        UserError: the folder can't be written, or the log there is of a later format, or broken.
    """
    there = log_root / "_schema"
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
            raise UserError(f"cannot make a run log at {log_root}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


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
        raise UserError(_broken(schema, f"{wrong[0]} can't be read"))
    for folder in (SINGLE_SCHEMAS[0], MERGED_SCHEMAS[0]):
        for table, columns in (("completions", COMPLETIONS), ("verdicts", VERDICTS)):
            if (schema / folder).is_dir() and not _has(path := schema / folder / f"{table}.parquet", columns):
                raise UserError(_broken(schema, f"{path} has other columns than this format"))


def _has(path: Path, columns: pa.Schema) -> bool:
    try:
        return pq.read_schema(path).equals(columns)
    except (OSError, pa.ArrowException):
        return False


def _broken(schema: Path, what: str) -> str:
    return f"the run log {schema.parent} is broken: {what}; move its folder _schema away, which holds no rows: it is made anew"


def _is_whole(schema: Path) -> bool:
    """Whether it has all that this format needs."""
    if not all((schema / name).exists() for name in (*SINGLE_SCHEMAS, *MERGED_SCHEMAS, *SCHEMA_FILES)):
        return False
    try:
        return pq.read_schema(schema / "run.parquet").names == RUN.names
    except (OSError, pa.ArrowException):
        raise UserError(_broken(schema, f"{schema / 'run.parquet'} can't be read")) from None


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


def query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    params: Sequence | Mapping | None = None,
    timeout_s: float | None = None,
    most: int | None = None,
) -> pa.Table:
    """The rows of one SELECT statement, the first `most` of them.

    Asks again if a folder was removed between being listed and being read. Columns of types that Arrow hasn't, such as
    intervals and unions, are text.

    Raises:
        UserError: a statement that is no SELECT, or holds anything that could do more than read (`oracle.log.select`); one that
            fails, or takes longer than `timeout_s` seconds; a `timeout_s` of NaN.
    """
    if timeout_s is not None and math.isnan(timeout_s):
        raise UserError("a query can't end within NaN s: expected a number of seconds")
    check_reads_only(connection, sql)
    try:
        return without_what_is_broken(
            connection,
            lambda left_s: again_if_removed(lambda left_s: _timed(connection, sql, params, left_s, most), left_s),
            timeout_s,
        )
    except Stopped:
        raise UserError(f"the query was stopped after {timeout_s:g} s: narrow it down to a run or a step") from None
    except duckdb.PermissionException as error:
        raise UserError(
            f"{first_line(error)}; the log's own files alone are read, and no link that leads out of it"
        ) from None
    except duckdb.Error as error:
        raise UserError(what_duckdb_said(error)) from None


def without_what_is_broken(
    connection: duckdb.DuckDBPyConnection, ask: Callable[[float | None], T], timeout_s: float | None = None
) -> T:
    """What `ask` returns, given the seconds that are left; asked again while it fails for runs and steps that prove to be
    broken, which are left out then. All times together, and the search, take no longer than `timeout_s`.
    """
    root = _root_of(connection)
    if root is None:
        return ask(timeout_s)
    end = time.monotonic() + (math.inf if timeout_s is None else timeout_s)

    def left_s() -> float | None:
        return None if timeout_s is None else max(end - time.monotonic(), 0)

    set_aside(connection, root)
    for _ in range(ATTEMPTS):
        try:
            return ask(left_s())
        except (duckdb.InternalException, duckdb.FatalException):  # nothing can be asked of this connection any more
            raise
        except duckdb.Error as error:
            is_unnamed = type(error) in (duckdb.Error, duckdb.IOException) and "No files found" not in str(error)
            find_broken(root, str(error), is_unnamed, min(SEARCH_S, end - time.monotonic()))
            if not set_aside(connection, root):
                raise
    return ask(left_s())


def left_out(connection: duckdb.DuckDBPyConnection, run_id: str) -> Path | None:
    """The file for which a run is in no view; null: it is, or there is none."""
    root = _root_of(connection)
    return state_of(root).runs.get(run_id) if root else None


def _root_of(connection: duckdb.DuckDBPyConnection) -> Path | None:
    """The folder of the log; null: the connection has none."""
    try:
        [(pattern,)] = connection.execute("select log_root()").fetchall()
    except duckdb.CatalogException:
        return None
    return Path(re.sub(r"\[([*?[])\]", r"\1", pattern))


def again_if_removed(read: Callable[[float | None], T], timeout_s: float | None) -> T:
    """What `read` returns, given the seconds that are left; asked again while it meets files that were just removed.

    A removal takes a moment, and so does a reader from listing files to opening them: another time it will be luckier. All
    times together take no longer than `timeout_s`. Raises the last `duckdb.IOException`.
    """
    end, attempts = time.monotonic() + (PATIENCE_S if timeout_s is None else timeout_s), 0
    while True:
        try:
            return read(None if timeout_s is None else end - time.monotonic())
        except duckdb.IOException as error:
            attempts += 1
            is_removed = any(words in str(error).lower() for words in ("no such file", "no files found"))
            if not is_removed or attempts == ATTEMPTS or time.monotonic() + PAUSE_S >= end:
                raise
        time.sleep(PAUSE_S)


class Stopped(Exception):
    """A query took longer than it may."""


def _timed(connection, sql, params, timeout_s, most) -> pa.Table:
    done = threading.Event()
    clock = threading.Thread(target=_interrupt_after, args=(timeout_s, connection, done), daemon=True)
    clock.start()
    try:
        return _interruptible(connection, lambda: _rows(connection, sql, params, most))
    except duckdb.InterruptException:
        raise Stopped from None
    except UnicodeDecodeError as error:  # where it cuts a character in two, or a name in a damaged file is no text
        raise duckdb.DataError(error.object.decode(errors="replace")) from None
    except RuntimeError as error:  # where what DuckDB has to say is no text, as of a damaged file
        raise duckdb.Error(str(error)) from None
    except pa.ArrowException as error:
        raise UserError(
            f"the answer can't be handed on: {first_line(error)}; select less, or as text (::varchar)"
        ) from None
    finally:
        done.set()
        clock.join()  # else its last interrupt could meet the next query


def _interrupt_after(timeout_s: float | None, connection: duckdb.DuckDBPyConnection, done: threading.Event) -> None:
    """Interrupt what runs after `timeout_s` seconds, again and again: DuckDB forgets it where it begins a statement."""
    running = not done.wait(None if timeout_s is None else min(timeout_s, threading.TIMEOUT_MAX))
    while running:
        connection.interrupt()
        running = not done.wait(AGAIN_S)


def _interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], pa.Table]) -> pa.Table:
    """Do `work` in another thread: Python hears of Ctrl-C only while this one is not in DuckDB."""
    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(work)
        try:
            return working.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


def _rows(connection, sql, params, most) -> pa.Table:
    asked = connection.sql(sql, params=params)
    rows = known_to_arrow(asked)
    table = rows.to_arrow_table() if most is None else _first(rows.to_arrow_reader(2048), most)
    return table.rename_columns(asked.columns)


def _first(rows: pa.RecordBatchReader, most: int) -> pa.Table:
    """Rows are computed as they are read: what lies behind the first `most` never is. Raises what DuckDB does."""
    batches, left = [], most
    try:
        with rows:
            while left > 0 and (batch := next(rows, None)) is not None:
                batches.append(batch.slice(0, left))
                left -= batches[-1].num_rows
    except OSError as error:  # Arrow hands on no more than the words
        raise _kind_of(str(error))(str(error)) from None
    return pa.Table.from_batches(batches, rows.schema)


def _kind_of(said: str) -> type[duckdb.Error]:
    """The kind of an error whose words alone are left: `duckdb.Error` where they don't say, as of damaged pages."""
    if kind := next((kind for words, kind in _ARROWS.items() if said.startswith(words)), None):
        return kind
    return duckdb.DataError if re.match(r"(?!Invalid Error)[A-Z][\w -]* Error: ", said) else duckdb.Error


def _literal(value: int | str | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    return quoted(value) if isinstance(value, str) else str(value)


def quoted_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """A literal, for the few places where DuckDB takes no parameter."""
    return "'" + text.replace("'", "''") + "'"
