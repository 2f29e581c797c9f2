"""The format of a store's file: what this program writes, and whether it may read what it is given."""

import shlex
from pathlib import Path

import duckdb

from oracle.base.errors import UserError

STORE_FORMAT = 10
"""Of what a store holds. Raise it when one that was built before would be read wrongly; tests/oracle/store/test_format.py
reminds. `store update` brings an older one up to date."""


def format_of(connection: duckdb.DuckDBPyConnection, path: str | Path, table: str = "store_info") -> int:
    """The format of an open store. Raises `UserError` for a file that is no store, or of a later format.

    Args:
        path: of the store, as a message names it.
        table: what the connection calls its table `store_info`.
    """
    try:
        [(number,)] = connection.execute(f"select schema_version::integer from {table}").fetchall()
    except (duckdb.Error, ValueError):
        raise UserError(f"{path} is a DuckDB file, but no store: it has no table store_info of one row") from None
    if number > STORE_FORMAT:
        raise UserError(f"{path} is a store of format {number}, and this program knows up to {STORE_FORMAT}: update it")
    return number


def check_format(connection: duckdb.DuckDBPyConnection, path: str | Path, table: str = "store_info") -> None:
    """Raises `UserError` for an open store that is not of this program's format: its verdicts may be those of other rules."""
    if (number := format_of(connection, path, table)) < STORE_FORMAT:
        raise UserError(
            f"{path} is a store of format {number}, and this program needs {STORE_FORMAT}: "
            f"run python -m oracle store update {shlex.quote(str(path))}"
        )
