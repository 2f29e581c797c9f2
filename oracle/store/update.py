"""Changing a store as a whole: all that a command brings in appears at once, or nothing does."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb

from oracle.base.advice import advice
from oracle.base.database import connect
from oracle.base.errors import UserError, first_line
from oracle.base.files import hold
from oracle.base.resources import read_sql
from oracle.base.store_format import format_of
from oracle.log import quoted, quoted_name
from oracle.store.build import build_starter_store
from oracle.store.file import (
    changed_store,
    made_of,
    new_store,
    open_file,
    place_of,
    refuse_in_use,
    renewed_store,
    settle,
)


@contextmanager
def updated_store(path: str | Path, starter: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a private copy of the store at `path`; at the end it takes the store's place.

    A store that is not there yet begins with the bundled starter titles, traits and risks, or empty (`starter` False).
    The starter's films are no ground truth: its catalog is left out. An exception leaves everything as it was. Raises
    `UserError` for a file that is no store, a folder that can't be written, and while another program writes to it.
    """
    path = Path(path)
    with _alone(path):
        if path.exists():
            with changed_store(path) as connection:
                yield connection
        elif not starter:
            with new_store(path) as connection:
                connection.execute(read_sql("store/clean"))
                yield connection
        else:
            place = Path(os.path.realpath(path))
            refuse_in_use(place)
            with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
                draft = build_starter_store(Path(folder) / path.name)
                with changed_store(draft) as connection:
                    connection.execute("delete from catalog")
                    yield connection
                with connect(draft) as connection:
                    settle(connection, path)
                refuse_in_use(place)
                os.replace(draft, place)


class Upgraded(NamedTuple):
    """`number`: the format that the store had. `left_out`: columns that somebody has added to its tables, which are not kept."""

    number: int
    left_out: tuple[str, ...] = ()


def upgrade_store(path: str | Path) -> Upgraded:
    """Bring a store up to date from the tables that it holds: all that is derived, its views and macros are made anew.

    Somebody's own tables, views, macros and schemas in it stay as they are. Raises `UserError` for a file that is no store, one
    that lacks what a table needs, and while another program writes to it; it is as it was then.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no store at {path}: name one that is there")
    with _alone(path):
        refuse_in_use(Path(os.path.realpath(path)))
        with open_file(path) as old:
            number = format_of(old, path)
        try:
            ours = made_of(path)
            with renewed_store(path, ours) as connection:
                return Upgraded(number, _take_over(connection, path, ours))
        except duckdb.Error as error:
            if _is_of_the_machine(error):
                raise
            raise UserError(f"{path} cannot be brought up to date: {first_line(error)}; build it again") from None


def _take_over(connection: duckdb.DuckDBPyConnection, path: Path, ours: list[tuple[str, str]]) -> tuple[str, ...]:
    """Copy what the tables of the store at `path` hold, column by column of the same name; return the other columns."""
    names = [name for name, kind in ours if kind == "table"]
    connection.execute(read_sql("sources/begin"))  # the columns that say which source a row is of
    connection.execute(f"attach {quoted(str(path))} as old_store (read_only)")
    columns: dict[str, list[str]] = {}
    left_out = []
    for table, column, is_known in connection.execute(read_sql("store/held_columns"), [names]).fetchall():
        if is_known:
            columns.setdefault(table, []).append(column)
        else:
            left_out.append(f"{table}.{column}")
    for table, held in columns.items():
        connection.execute(f"delete from {quoted_name(table)}")  # some begin with a row
        listed = ", ".join(map(quoted_name, held))
        connection.execute(
            f"insert into {quoted_name(table)} by name select {listed} from old_store.main.{quoted_name(table)}"
        )
    connection.execute(read_sql("store/keep_info"))
    connection.execute("detach old_store")
    return tuple(left_out)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the store against other writers: of two copies, the one swapped in last would undo the first."""
    place = place_of(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = hold(place.with_name(f".{place.name}.lock"), f"{path} is being changed")
    except OSError as error:
        raise UserError(f"cannot write a store at {path}: {error.strerror}") from None
    try:
        yield
    except duckdb.Error as error:
        if not _is_of_the_machine(error):
            raise
        raise UserError(
            f"cannot write a store at {path}: {first_line(error)}; free some space, or choose another folder"
        ) from None
    finally:
        lock.release()


def _is_of_the_machine(error: duckdb.Error) -> bool:
    """Whether a full disk or a small machine is to blame; where a commit fails, the words alone say so."""
    return isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException) or advice(error) is not None
