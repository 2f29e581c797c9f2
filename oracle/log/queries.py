"""The named audit queries of `sql/queries/`: questions with their SQL, for the shell, the app and Python."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache

import duckdb
import pyarrow as pa

from oracle.base.errors import UserError
from oracle.base.resources import SQL, read_sql
from oracle.log.folders import left_out
from oracle.log.reading import query, wrong_with

_RUNS = ("run", "other_run")
VARIABLES = (*_RUNS, "step", "completion")
CHOSEN = {
    "chosen_run": "run", "chosen_later_run": "run", "chosen_other_run": "other_run", "needed_other_run": "other_run",
    "chosen_step": "step",
}  # fmt: skip
"""The macros that choose what a query is about where nobody says it, and the variable that says it."""


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
    names = (file.stem for file in (SQL / "queries").glob("*.sql"))
    return {name: _parsed(name, read_sql(f"queries/{name}")) for name in sorted(names)}


def ask(
    connection: duckdb.DuckDBPyConnection, name: str, timeout_s: float | None = None, **variables: str | int | None
) -> pa.Table:
    """The rows of a named query. `variables` (run, step …) choose what it is about; null: as its header says.

    Raises:
        UserError: no such query, variable, run, step or completion, no run to compare with, or the query fails or takes
            too long.
    """
    return ask_about(connection, name, timeout_s, **variables)[0]


def ask_about(
    connection: duckdb.DuckDBPyConnection, name: str, timeout_s: float | None = None, **variables: str | int | None
) -> tuple[pa.Table, dict[str, str | int | None]]:
    """The rows of a named query, as `ask` has them, and the value of each of its variables: given, or chosen."""
    known = named_queries()
    if name not in known:
        raise UserError(f"no query {name!r}: there are {', '.join(known)}")
    if unknown := sorted(set(variables) - set(known[name].variables)):
        knows = ", ".join(known[name].variables) or "nothing"
        raise UserError(f"query {name} can't be asked about a {unknown[0]}: it can about {knows}")
    sql = known[name].sql
    with _chosen_by(connection, variables, known[name].variables) as runs:
        about = {variable: variables.get(variable) for variable in known[name].variables}
        for macro, variable in CHOSEN.items():  # chosen now, they are constants: DuckDB opens that run's files only
            if f"{macro}()" in sql:
                about[variable] = _chosen(connection, macro)
                # What is chosen after it is of that very run, whatever is newer by then.
                connection.execute(f"set variable {variable} = ?", [about[variable]])
                runs += [str(about[variable])] if variable in _RUNS and about[variable] is not None else []
                sql = sql.replace(f"{macro}()", f"getvariable('{variable}')")
        return query(connection, sql, timeout_s=timeout_s), about


def ask_sql(
    connection: duckdb.DuckDBPyConnection, sql: str, timeout_s: float | None = None, **variables: str | int | None
) -> pa.Table:
    """The rows of any SELECT. `variables` choose what `chosen_run()` and its like are in it, as in a named query.

    Raises:
        UserError: no such run, step or completion, a variable that isn't read, or the query fails or takes too long.
    """
    given = {name: value for name, value in variables.items() if value is not None}
    read = _read_by(sql)
    if unread := [name for name in given if name not in read]:
        reading = next(
            (f"{macro}()" for macro in CHOSEN if macro == f"chosen_{unread[0]}"), f"getvariable('{unread[0]}')"
        )
        raise UserError(
            f"the statement says nowhere that it is about a {unread[0]}: write {reading} where it should stand"
        )
    with _chosen_by(connection, given, read):
        return query(connection, sql, timeout_s=timeout_s)


@contextmanager
def _chosen_by(
    connection: duckdb.DuckDBPyConnection, variables: Mapping[str, str | int | None], read: Sequence[str]
) -> Iterator[list[str]]:
    """What each variable that is read chooses, which must be there; null: what the connection has set, or else the macros. Yields
    the runs that are chosen, which must be there in the end too: a run that is deleted meanwhile would be one without rows.

    A run that is given has nothing to do with the step that was set for another. The connection's variables are afterwards as
    they were.
    """
    names = ", ".join(f"getvariable('{variable}')" for variable in VARIABLES)
    [own] = connection.execute(f"select {names}").fetchall()
    had = dict(zip(VARIABLES, own, strict=True))
    runs: list[str] = []
    try:
        for variable in read:  # a step is one of the run, a completion one of the step
            value = variables.get(variable)
            if value is None and (variables.get("run") is None or variable == "other_run"):
                value = had[variable]
            if value is not None:
                _check(connection, variable, value)
                runs += [str(value)] if variable in _RUNS else []
            connection.execute(f"set variable {variable} = ?", [value])
        yield runs
        for run_id in runs:
            _check_run(connection, run_id)
    finally:
        # After a fault of its own DuckDB does nothing more, and the query has told it.
        with suppress(duckdb.FatalException):
            for variable, value in had.items():
                connection.execute(f"set variable {variable} = ?", [value])


def _chosen(connection: duckdb.DuckDBPyConnection, macro: str) -> str | int | None:
    return query(connection, f"select {macro}() as chosen")["chosen"][0].as_py()


def _check(connection: duckdb.DuckDBPyConnection, variable: str, value: str | int) -> None:
    """Refuse a run that isn't in the log, a step that the chosen run hasn't, a completion that the chosen step hasn't.

    That run and step are chosen for good then, whatever is newer by the time of the query.
    """
    if variable in _RUNS:
        return _check_run(connection, str(value))
    of: dict[str, str | int | None] = {}
    for column, its in (("run_id", "run"), ("step", "step"))[: 2 if variable == "completion" else 1]:
        of[column] = _chosen(connection, f"chosen_{its}")
        connection.execute(f"set variable {its} = ?", [of[column]])
    [there] = query(
        connection,
        f"""select bool_or({variable} = $value) as is_one, count(distinct {variable}) as n,
                min({variable}) as first, max({variable}) as last
            from rollouts where {" and ".join(f"{column} = ${column}" for column in of)}""",
        {**of, "value": value},
    ).to_pylist()
    if not there["is_one"]:
        whose = f"run {of['run_id']}" + (f", step {of['step']}," if "step" in of else "")
        has = f"its {there['n']} are {there['first']} to {there['last']}" if there["n"] else "it has none"
        raise UserError(f"{whose} has no {variable} {value} in this log: {has}")


def _check_run(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    runs = query(connection, "select run_id from runs order by run_id desc")["run_id"].to_pylist()
    if run_id in runs:
        return
    if wrong := wrong_with(connection, run_id):
        raise left_out(run_id, wrong)
    raise UserError(f"no run {run_id!r} in this log: it has {', '.join(runs[:5]) or 'none'}")


def _parsed(name: str, text: str) -> NamedQuery:
    lines = text.splitlines()
    header = [line.removeprefix("-- ") for line in lines if line.startswith("--")]
    return NamedQuery(name, header[0], "\n".join(header[1:]), text, _read_by(text))


def _read_by(sql: str) -> tuple[str, ...]:
    """The variables that a statement reads. Those that choose a part of a run, or one beside it, hang on the run."""
    read = {variable for macro, variable in CHOSEN.items() if re.search(rf"\b{macro}\b", sql, re.IGNORECASE)}
    read |= {v for v in VARIABLES if re.search(rf"\bgetvariable\s*\(\s*'{v}'", sql, re.IGNORECASE)}
    return tuple(v for v in VARIABLES if v in read or (v == "run" and read))
