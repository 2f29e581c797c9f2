"""Where SQL finds what people decided about titles: in the files beside the store that was opened."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from oracle.base.database import pattern_of, unescaped
from oracle.base.files import alias_files, is_there
from oracle.log.macros import quoted


def name_alias_files(connection: duckdb.DuckDBPyConnection, store_path: str | Path) -> None:
    """Write the place of its decisions into a store, for plain DuckDB; where it has moved, only `use_alias_files` knows."""
    files = ", ".join(map(quoted, _patterns(store_path)))
    connection.execute(f"create or replace macro alias_files() as coalesce(getvariable('alias_files'), [{files}])")


def use_alias_files(connection: duckdb.DuckDBPyConnection, store_path: str | Path) -> None:
    """Have a connection read the decisions beside the store at `store_path`, whatever place the store names."""
    connection.execute("set variable alias_files = ?", [_patterns(store_path)])


def use_same_alias_files(connection: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection) -> None:
    """Have a connection read the decisions that `other` reads: each has variables of its own."""
    [(files,)] = other.execute("select getvariable('alias_files')").fetchall()
    connection.execute("set variable alias_files = ?", [files])


@contextmanager
def decisions_by_name(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Have a connection read, within, the files of decisions that are there: of a folder that can't be listed, patterns find none.

    Raises `OSError` where it can't be seen whether a file is there, and where DuckDB would not find it.
    """
    [(patterns,)] = connection.execute("select getvariable('alias_files')").fetchall()
    if not isinstance(patterns, list):  # none, or a fault of a person's, for DuckDB to tell
        yield
        return
    connection.execute("set variable alias_files = ?::varchar[]", [[p and _named(p) for p in patterns]])
    try:
        yield
    finally:
        with suppress(duckdb.Error):  # after a fault, or in a transaction that failed, DuckDB does nothing more
            connection.execute("set variable alias_files = ?", [patterns])


def _named(pattern: str) -> str:
    """The one file that fits by its name; while it isn't there, and of several files, as it was."""
    file = Path(unescaped(pattern))
    if not is_there(file):
        return pattern
    for part in (file, *file.parents):
        if pattern_of(part.name) != part.name:  # which DuckDB finds by a list alone
            os.listdir(part.parent)
    return pattern_of(file)


def readable_as(store_path: str | Path) -> list[str]:
    """How DuckDB names the files of decisions where it asks whether it may read them: as patterns, and as it finds them."""
    return [*_patterns(store_path), *(name for f in alias_files(store_path) for name in {pattern_of(f), str(f)})]


def _patterns(store_path: str | Path) -> list[str]:
    """As patterns: of those, none need be there."""
    return [pattern_of(file)[:-1] + "[l]" for file in alias_files(store_path)]
