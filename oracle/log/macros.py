"""What the log's views are built on; and text as SQL, for the few places where DuckDB takes no parameter."""

from pathlib import Path

import duckdb

from oracle.base.database import pattern_of
from oracle.base.resources import read_sql
from oracle.log.folders import FORMAT
from oracle.rewards import reward_kinds


def create_base(connection: duckdb.DuckDBPyConnection, log_root: Path) -> None:
    """Create what the views are built on: the log's tables, and the sums of single steps; of no rows, until `create_rows`."""
    default = quoted(pattern_of(log_root))
    connection.execute(f"create or replace macro log_root() as coalesce(getvariable('log_root'), {default})")
    # A view looks at its files once when it is made: let it look at the empty ones only.
    connection.execute("set variable log_runs = '_schema'")
    connection.execute(f"create or replace macro log_format() as {FORMAT}")
    for name in ("log/files", "log/no_rows", "log/tables", "log/sums"):
        connection.execute(read_sql(name))
    kinds = ", ".join(f"({', '.join(map(_literal, kind.values()))})" for kind in reward_kinds())
    columns = ", ".join(quoted_name(name) for name in reward_kinds()[0])
    connection.execute(f"create or replace macro reward_kinds() as table from (values {kinds}) as kinds ({columns})")


def create_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Have the tables, and what was built on them meanwhile, read the rows of the log's files."""
    connection.execute(read_sql("log/rows"))


def _literal(value: int | str | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(quoted, value))}]"
    return quoted(value) if isinstance(value, str) else str(value)


def quoted_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """A literal, for the few places where DuckDB takes no parameter."""
    return "'" + text.replace("'", "''") + "'"
