"""Where the app's figures come from: the log's views and the store's tables, read-only, cached for seconds."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue

import duckdb
import pyarrow as pa
import streamlit as st

from app.core.folder import STARTED_IN
from app.core.query_pool import Answer, QueryPool
from app.core.query_worker import MOST_BYTES
from oracle import UserError
from oracle.base.files import absolute, log_root, version_of_store
from oracle.base.nouns import FILMS, Nouns
from oracle.base.resources import read_sql
from oracle.log import beside, last_step_at, open_audit, query, state_of

FRESH_S = 5  # how old the figures of a page may be
TIMEOUT_S = 20.0
CONNECTIONS = 6  # of pages' queries that run at once
MEMORY = "50%"  # of the machine's, for all of these together; to derive 2.5 million verdicts again takes 5 GB
LIVE_S = 300  # a run that wrote a step, or began, this lately is taken to be training still


class Audit:
    """Locked connections to one store and its log, each of which answers one query at a time."""

    def __init__(self, store: str) -> None:
        self._log = log_root(store)
        self._main = open_audit(store, memory=MEMORY)
        self._free: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
        for _ in range(CONNECTIONS):
            self._free.put(beside(self._main))

    def query(self, sql: str, params: Mapping | None) -> pa.Table:
        """The rows of one of our own statements.

        Raises:
            UserError: it, or the wait for a connection, takes too long; it has more than `MOST_BYTES`; the log is gone.
        """
        _check_log(self._log)
        try:
            connection = self._free.get(timeout=TIMEOUT_S)
        except Empty:
            raise UserError(f"{CONNECTIONS} other pages are being computed: open this one again in a moment") from None
        try:
            rows = query(connection, sql, params, TIMEOUT_S)
        finally:
            self._free.put(connection)
        if rows.nbytes > MOST_BYTES:
            raise UserError(
                f"what this page would show takes {rows.nbytes / 1e6:.0f} MB, and at most {MOST_BYTES / 1e6:.0f} are shown: "
                "the log holds texts or lists of unusual length; ask the SQL page for parts of them"
            )
        return rows


def _check_log(folder: Path) -> None:
    """Raises `UserError` where there is no log (any more)."""
    if not (folder / "_schema").is_dir():
        raise UserError(
            f"the log {folder} is gone, or its folder _schema: bring it back, or start the app again, which makes an empty one"
        )


def use(store: str | Path) -> None:
    """Have this session read `store`. Raises `UserError` where there is none."""
    path = absolute(STARTED_IN / store)
    if not path.is_file():
        raise _no_store(path)
    st.session_state["_store"] = str(path)


def store_path() -> Path:
    return Path(st.session_state["_store"])


def rows(name: str, **params: object) -> pa.Table:
    """The rows of `sql/app/<name>.sql`, whose parameters are bound by name."""
    return _cached(str(store_path()), _state(), read_sql(f"app/{name}"), params)


def nouns() -> Nouns:
    """What the store calls the things that it recommends: films where it can't be read, which the page then says."""
    try:
        [row] = rows("domain").to_pylist()
    except (UserError, OSError):
        return FILMS
    return Nouns(**row)


def ask(sql: str, run_id: str | None, most: int, timeout_s: float, waiting: Callable[[float], object]) -> Answer:
    """The rows of what a person typed, at most `most`; in a process of its own, so that nobody else waits or is harmed.

    `waiting` is called with the seconds that have passed, again and again; what it raises stops the query.
    """
    _check_log(log_root(store_path()))
    return _pool(str(store_path()), _state()).ask(sql, run_id, most, timeout_s, waiting)


def confines() -> bool:
    """Whether the system confines what runs a person's statements, as far as is known."""
    return _pool(str(store_path()), _state()).is_confined


def left_out() -> str | None:
    """What of the log can't be read, in a line; null: all of it can."""
    return state_of(log_root(store_path())).told()


def seconds_since_step(run_id: str) -> float | None:
    """Since the run wrote its newest step; null: it has none."""
    at = last_step_at(log_root(store_path()) / run_id)
    return None if at is None else time.time() - at


def is_gone(run_id: str) -> bool:
    return not (log_root(store_path()) / run_id).is_dir()


def _state() -> tuple:
    """What changes where another store takes the place of the one that was read, or its log is at another place."""
    try:
        return version_of_store(store_path()), os.path.realpath(log_root(store_path()))
    except FileNotFoundError:  # a part of a page is drawn anew when nobody has asked for it
        raise _no_store(store_path()) from None


def _no_store(path: Path) -> UserError:
    return UserError(f"no store at {path}: build one with pipeline/prepare.py, or name another after --store")


@st.cache_resource(max_entries=1, show_spinner="Opening the store …")  # each may take half of the memory
def _audit(store: str, state: tuple) -> Audit:
    return Audit(store)


@st.cache_resource(max_entries=2, show_spinner=False, on_release=QueryPool.close)
def _pool(store: str, state: tuple) -> QueryPool:
    return QueryPool(Path(store))


@st.cache_data(ttl=FRESH_S, max_entries=500, show_spinner=False)
def _cached(store: str, state: tuple, sql: str, params: dict) -> pa.Table:
    return _audit(store, state).query(sql, params or None)
