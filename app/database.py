"""Where the app's figures come from: the log's views and the store's tables, read-only, cached for seconds."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import streamlit as st

from oracle import UserError
from oracle.log import open_audit, query
from oracle.sql import read_sql

FRESH_S = 5  # how old the figures of a page may be
TIMEOUT_S = 20.0
LIVE_S = 300  # a run that wrote a step this lately is taken to be training still


@dataclass(frozen=True)
class Audit:
    """A locked connection, and the lock that lets one query at a time use it (cursors don't see the store's tables)."""

    connection: duckdb.DuckDBPyConnection
    lock: threading.Lock = field(default_factory=threading.Lock)

    def query(
        self, sql: str, params: Mapping | None, timeout_s: float, most: int | None = None, run_id: str | None = None
    ) -> pa.Table:
        """The rows of one SELECT, at most `most` of them; `run_id` is what `chosen_run()` gives in it."""
        with self.lock:
            if run_id:
                self.connection.execute("set variable run = ?", [run_id])
            return query(self.connection, self._limited(sql, most) if most else sql, params, timeout_s)

    def _limited(self, sql: str, most: int) -> str:
        """The same SELECT with a limit; anything else as it is, for `query` to refuse."""
        try:
            statements = self.connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                return sql
            return f"from (\n{_without_semicolon(statements[0].query)}\n) limit {most}"
        except duckdb.Error:
            return sql


def use(store: str | Path) -> None:
    """Have this session read `store`. Raises `UserError` where there is none."""
    path = Path(store).absolute()
    if not path.is_file():
        raise UserError(f"no store at {path}: build one with pipeline/prepare.py, or name another after --store")
    st.session_state["_store"] = str(path)


def store_path() -> Path:
    return Path(st.session_state["_store"])


def rows(name: str, **params: object) -> pa.Table:
    """The rows of `sql/app/<name>.sql`, whose parameters are bound by name."""
    return _cached(str(store_path()), _changed_at(), read_sql(f"app/{name}"), params)


def ask(sql: str, run_id: str | None, most: int, timeout_s: float) -> pa.Table:
    """The rows of what a person typed, at most one more than `most`; on its own connection, so that no page waits."""
    return _audit(str(store_path()), _changed_at(), "editor").query(sql, None, timeout_s, most + 1, run_id)


def seconds_since_step(run_id: str) -> float | None:
    """Since the run wrote its latest step; null for a run that is gone."""
    folder = store_path().with_suffix(".log") / run_id
    return time.time() - folder.stat().st_mtime if folder.is_dir() else None  # a step is moved into its folder


def _changed_at() -> int:
    return store_path().stat().st_mtime_ns


@st.cache_resource(max_entries=4, show_spinner="Opening the store …")
def _audit(store: str, changed_at: int, purpose: str) -> Audit:
    return Audit(open_audit(store))


@st.cache_data(ttl=FRESH_S, max_entries=500, show_spinner=False)
def _cached(store: str, changed_at: int, sql: str, params: dict) -> pa.Table:
    return _audit(store, changed_at, "pages").query(sql, params or None, TIMEOUT_S)


def _without_semicolon(statement: str) -> str:
    text = statement.encode()  # whose bytes DuckDB counts
    ends = [
        at
        for at, kind in duckdb.tokenize(statement)
        if kind == duckdb.token_type.operator and text[at : at + 1] == b";"
    ]
    return text[: ends[0] if ends else None].decode()
