"""The run log as SQL: connections that have its views, and queries with a time limit."""

import os
import shutil
import threading
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from oracle.base.errors import UserError, first_line
from oracle.base.resources import read_sql
from oracle.log.schema import COMPLETIONS, RUN, VERDICTS
from oracle.log.select import check_reads_only

STEPS_WITHOUT_ROWS = "steps-00000000-00000000-0000000000-9999999999"
GRACE_S = 5.0
"""Seconds that folders overlap when steps are merged: longer than a query takes to list its files, and than the clocks
of machines differ."""

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
    if not (root / "_schema").is_dir():
        if not any(root.glob("[0-9]*/run.parquet")):
            raise UserError(f"no run log at {root}: train or evaluate with a store beside it, or name another store")
        ensure_schema(root)
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    create_log_views(connection, root)
    return connection


def create_log_views(connection: duckdb.DuckDBPyConnection, log_root: str | Path) -> None:
    """Create the log's views and macros in `connection`, over the absolute path of `log_root`.

    In a store's file they make the log readable by plain DuckDB, without any code of this project. Where the log has
    moved, `SET VARIABLE log_root = '<path>'` overrides the path. Makes an empty log where there is none.

    Raises:
        UserError: no log can be made at `log_root`.
    """
    root = Path(log_root).absolute()
    ensure_schema(root)
    create_base(connection, root)
    for name in VIEWS:
        connection.execute(read_sql(name))
    connection.execute("reset variable log_runs")


def create_base(connection: duckdb.DuckDBPyConnection, log_root: Path) -> None:
    """Create what the views are built on: the log's tables, and the sums of single steps."""
    default = quoted(pattern_of(log_root))
    connection.execute(f"create or replace macro log_root() as coalesce(getvariable('log_root'), {default})")
    # A view looks at its files once when it is made: let it look at the empty ones only.
    connection.execute("set variable log_runs = '_schema'")
    for name in ("log/tables", "log/sums"):
        connection.execute(read_sql(name))


def ensure_schema(log_root: Path) -> None:
    """Make an empty log at `log_root` unless there is one: files without rows, from which views know the columns.

    Raises:
        UserError: the folder can't be written, or the log there is of another version.
    """
    if (log_root / "_schema").is_dir():
        _check_columns(log_root)
        return
    new = log_root / f".tmp-_schema-{uuid.uuid4().hex}"
    try:
        merged = new / "_schema" / STEPS_WITHOUT_ROWS
        for folder in (merged, new / "_schema" / "step-00000000"):
            folder.mkdir(parents=True)
            pq.write_table(COMPLETIONS.empty_table(), folder / "completions.parquet")
            pq.write_table(VERDICTS.empty_table(), folder / "verdicts.parquet")
        pq.write_table(RUN.empty_table(), new / "_schema" / "run.parquet")
        with duckdb.connect() as connection:
            create_base(connection, new)
            for name in ("rank_sums", "trait_sums"):
                columns = connection.sql(f"from loose_{name} limit 0").to_arrow_table()
                pq.write_table(columns, merged / f"{name}.parquet")
        os.rename(new / "_schema", log_root / "_schema")
    except OSError as error:
        if not (log_root / "_schema").is_dir():  # else another process made it first
            raise UserError(f"cannot make a run log at {log_root}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _check_columns(log_root: Path) -> None:
    there = pq.read_schema(log_root / "_schema" / "step-00000000" / "verdicts.parquet").names
    if missing := [name for name in VERDICTS.names if name not in there]:
        raise UserError(
            f"the run log {log_root} was written by another version of this project (it lacks {', '.join(missing)}): "
            "move it away, or read it with that version"
        )


def query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    params: Sequence | Mapping | None = None,
    timeout_s: float | None = None,
    most: int | None = None,
) -> pa.Table:
    """The rows of one SELECT statement, the first `most` of them.

    Asks once more if a folder was merged away while it was read.

    Raises:
        UserError: a statement that is no SELECT, or holds anything that could do more than read (`oracle.log.select`); one that
            fails, or takes longer than `timeout_s` seconds.
    """
    check_reads_only(connection, sql)
    try:
        return _timed(connection, sql, params, timeout_s, most)
    except duckdb.IOException:
        return _asked_again(connection, sql, params, timeout_s, most)


def _asked_again(connection, sql, params, timeout_s, most) -> pa.Table:
    try:
        return _timed(connection, sql, params, timeout_s, most)
    except duckdb.IOException as error:
        raise UserError(first_line(error)) from None


def _timed(connection, sql, params, timeout_s, most) -> pa.Table:
    timer = threading.Timer(timeout_s, connection.interrupt) if timeout_s else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        rows = connection.sql(sql, params=params)
        return rows.to_arrow_table() if most is None else _first(rows.to_arrow_reader(2048), most)
    except duckdb.InterruptException:
        raise UserError(f"the query was stopped after {timeout_s:g} s: narrow it down to a run or a step") from None
    except duckdb.IOException:
        raise
    except duckdb.Error as error:
        raise UserError(first_line(error)) from None
    finally:
        if timer:
            timer.cancel()


def _first(rows: pa.RecordBatchReader, most: int) -> pa.Table:
    """Rows are computed as they are read: what lies behind the first `most` never is."""
    batches, left = [], most
    with rows:
        while left > 0 and (batch := next(rows, None)) is not None:
            batches.append(batch.slice(0, left))
            left -= batches[-1].num_rows
    return pa.Table.from_batches(batches, rows.schema)


def pattern_of(path: Path) -> str:
    """The path as part of a pattern of files, in which it stands for itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def quoted(text: str) -> str:
    """A literal, for the few places where DuckDB takes no parameter."""
    return "'" + text.replace("'", "''") + "'"
