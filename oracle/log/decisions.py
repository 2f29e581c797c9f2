"""Where SQL finds what people decided about titles: in the files beside the store that was opened."""

from pathlib import Path

import duckdb

from oracle.base.database import pattern_of
from oracle.base.files import alias_files
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


def readable_as(store_path: str | Path) -> list[str]:
    """How DuckDB names the files of decisions where it asks whether it may read them: as patterns, and as it finds them."""
    return [*_patterns(store_path), *map(str, alias_files(store_path))]


def _patterns(store_path: str | Path) -> list[str]:
    """As patterns: of those, none need be there."""
    return [pattern_of(file)[:-1] + "[l]" for file in alias_files(store_path)]
