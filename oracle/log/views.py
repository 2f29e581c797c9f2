"""The run log as SQL: connections that have its views."""

import os
from pathlib import Path

import duckdb

from oracle.base.database import check_path, connect
from oracle.base.errors import UserError, first_line
from oracle.base.files import absolute
from oracle.base.resources import read_sql
from oracle.log.empty import broken, ensure_schema
from oracle.log.folders import told_plainly
from oracle.log.macros import create_base, create_rows
from oracle.log.state import set_aside, tell_of_state

VIEWS = (
    "log/chosen",
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
        UserError: no log at `log_root`, one that may not be read, or one of an older version that can't be written.
    """
    root = _place_of(log_root)
    with told_plainly(f"cannot read the run log {root}"):
        if root.is_dir():
            os.listdir(root)  # a log that may be entered, and not listed, would look empty
        is_there = (root / "_schema").is_dir() or any(root.glob("[0-9]*/run.parquet"))
    if not is_there:
        raise UserError(f"no run log at {root}: train or evaluate with a store beside it, or name another store")
    connection = connect()
    connection.execute("set timezone = 'UTC'")
    create_log_views(connection, root)
    tell_of_state(root)
    set_aside(connection, root)
    return connection


def create_log_views(connection: duckdb.DuckDBPyConnection, log_root: str | Path, *more: str) -> None:
    """Create the log's views and macros in `connection`, over the absolute path of `log_root`; and `more`, SQL built on them.

    In a store's file they make the log readable by plain DuckDB, without any code of this project. Where the log has
    moved, `SET VARIABLE log_root = '<path>'` overrides the path. Makes an empty log where there is none.

    Raises:
        UserError: no log can be made at `log_root`, or the one there is broken, or DuckDB would read another path.
    """
    root = _place_of(log_root)
    ensure_schema(root)
    try:
        create_base(connection, root)
        for name in (*VIEWS, *more):
            connection.execute(read_sql(name))
        create_rows(connection)
    except (duckdb.IOException, duckdb.OutOfMemoryException):  # of a store that is being written
        raise
    except duckdb.Error as error:
        raise UserError(broken(root / "_schema", first_line(error))) from None
    connection.execute("reset variable log_runs")


def _place_of(log_root: str | Path) -> Path:
    """The absolute path of a log. Raises `UserError` for one that DuckDB reads as another."""
    root = absolute(log_root)
    check_path(root, "\\")
    return root
