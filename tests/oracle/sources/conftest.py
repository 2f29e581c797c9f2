"""A desk for sources: files written in the test, and the tables that they fill."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from oracle.base.resources import read_sql
from oracle.sources import Loaded, recognise
from oracle.sources.load import load_one, ready


class Desk:
    """A folder for source files, and the tables of a store, in memory."""

    def __init__(self, folder: Path, store: duckdb.DuckDBPyConnection) -> None:
        self.folder = folder
        self.store = store
        self._rejects: dict[str, list[tuple]] = {}

    def file(self, name: str, content: str | bytes | list | dict) -> Path:
        """Write a file; lists and dictionaries as JSON."""
        path = self.folder / name
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def load(self, *paths: Path) -> list[Loaded]:
        loaded = []
        for source in recognise(list(paths)):
            loaded.append(load_one(self.store, source))
            self._rejects[source.path.name] = self.rows("select row, content, reason from rejects order by row, reason")
        return loaded

    def load_text(self, text: str | bytes | list | dict, name: str = "source") -> list[Loaded]:
        return self.load(self.file(name, text))

    def rows(self, sql: str) -> list[tuple]:
        return self.store.sql(sql).fetchall()

    def derive_risks(self) -> None:
        for name in ("risk/tag_key", "risk/tags", "risk/risk", "risk/coverage"):
            self.store.execute(read_sql(name))

    def rejects(self, name: str = "source") -> list[tuple]:
        return self._rejects[name]


@pytest.fixture(scope="session")
def tables() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        for name in ("store/schema", "titles/spellings", "titles/normalise", "store/clean"):
            connection.execute(read_sql(name))
        ready(connection)
        yield connection


@pytest.fixture
def desk(tmp_path: Path, tables: duckdb.DuckDBPyConnection) -> Desk:
    for (name,) in tables.execute("select table_name from duckdb_tables() where not temporary").fetchall():
        tables.execute(f"delete from {name}")
    tables.execute("insert into domain default values")
    return Desk(tmp_path, tables)


@pytest.fixture
def titles(desk: Desk) -> Callable[[], list[tuple]]:
    return lambda: desk.rows("select imdb_id, title, year, is_primary from titles order by all")
