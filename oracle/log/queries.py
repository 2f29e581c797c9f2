"""The named audit queries of `sql/queries/`: questions with their SQL, for the shell, the app and Python."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import duckdb
import pyarrow as pa

from oracle.base.errors import UserError
from oracle.base.resources import read_sql
from oracle.log.views import query

VARIABLES = ("run", "other_run", "step", "completion")


@dataclass(frozen=True)
class NamedQuery:
    """A question, what else the header says about it, and the statement; `variables` are those that it reads."""

    name: str
    title: str
    about: str
    sql: str
    variables: tuple[str, ...]


@cache
def named_queries() -> dict[str, NamedQuery]:
    """Name -> query, in alphabetical order."""
    names = (f.name.removesuffix(".sql") for f in (files("sql") / "queries").iterdir() if f.name.endswith(".sql"))
    return {name: _parsed(name, read_sql(f"queries/{name}")) for name in sorted(names)}


def ask(
    connection: duckdb.DuckDBPyConnection, name: str, timeout_s: float | None = None, **variables: str | int | None
) -> pa.Table:
    """The rows of a named query. `variables` (run, step …) choose what it is about; null: as its header says.

    Raises:
        UserError: no such query or variable, or the query fails or takes too long.
    """
    known = named_queries()
    if name not in known:
        raise UserError(f"no query {name!r}: there are {', '.join(known)}")
    if unknown := sorted(set(variables) - set(known[name].variables)):
        knows = ", ".join(known[name].variables) or "nothing"
        raise UserError(f"query {name} can't be asked about a {unknown[0]}: it can about {knows}")
    sql = known[name].sql
    try:
        for variable in known[name].variables:
            value = variables.get(variable)
            if variable != "completion":  # chosen now, they are constants: DuckDB opens that run's files only
                value = connection.sql(f"select chosen_{variable}()").fetchall()[0][0] if value is None else value
                sql = sql.replace(f"chosen_{variable}()", f"getvariable('{variable}')")
            connection.execute(f"set variable {variable} = ?", [value])
        return query(connection, sql, timeout_s=timeout_s)
    finally:
        for variable in known[name].variables:
            connection.execute(f"reset variable {variable}")


def _parsed(name: str, text: str) -> NamedQuery:
    lines = text.splitlines()
    header = [line.removeprefix("-- ") for line in lines if line.startswith("--")]
    read = [v for v in VARIABLES if f"chosen_{v}()" in text or f"getvariable('{v}')" in text]
    return NamedQuery(name, header[0], "\n".join(header[1:]), text, tuple(read))
