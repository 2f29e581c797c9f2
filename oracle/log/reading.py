"""Queries of a log: one SELECT, within a time, asked again where files were removed or prove to be broken."""

import math
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from oracle.base.advice import advice, is_shortage
from oracle.base.database import pattern_of, unescaped
from oracle.base.errors import UserError, first_line
from oracle.base.files import absolute
from oracle.log.decisions import decisions_by_name
from oracle.log.folders import Listed, epochs, listed
from oracle.log.plain import known_to_arrow
from oracle.log.select import check_reads_only, what_duckdb_said
from oracle.log.sound import sign_of
from oracle.log.state import SEARCH_S, find_broken, look_again, seen_last, set_aside, state_of

GRACE_S = 5.0
"""Seconds that folders stay which no longer count: longer than a query takes from listing its files to opening them.
A shorter time would show nobody a wrong figure, only now and then an error "no such file"."""
ATTEMPTS = 20
EPOCHS = 5  # that may begin while one statement is asked; merges do so too
PAUSE_S = 0.1
PATIENCE_S = 60.0
AGAIN_S = 0.1  # between two interrupts of what takes too long

_ARROWS: dict[str, type[duckdb.Error]] = {
    "IO Error": duckdb.IOException,
    "INTERNAL Error": duckdb.InternalException,
    "INTERRUPT Error": duckdb.InterruptException,
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "Permission Error": duckdb.PermissionException,
}
"""How DuckDB's errors begin that mean more than that the statement failed."""

MANY_FOLDERS = 2000

T = TypeVar("T")


def query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    params: Sequence | Mapping | None = None,
    timeout_s: float | None = None,
    most: int | None = None,
) -> pa.Table:
    """The rows of one SELECT statement, the first `most` of them.

    Asks again if a folder was removed between being listed and being read. Columns of types that Arrow hasn't, such as
    intervals and unions, are text.

    Raises:
        UserError: a statement that is no SELECT, or holds anything that could do more than read (`oracle.log.select`); one that
            fails, or takes longer than `timeout_s` seconds; a `timeout_s` of NaN; too little memory, too few threads or files.
    """
    if timeout_s is not None and math.isnan(timeout_s):
        raise UserError("a query can't end within NaN s: expected a number of seconds")
    check_reads_only(connection, sql)
    try:
        return without_what_is_broken(
            connection,
            lambda left_s: of_one_state(
                connection, lambda now_left_s: _timed(connection, sql, params, now_left_s, most), left_s
            ),
            timeout_s,
        )
    except Stopped:
        raise UserError(f"the query was stopped after {timeout_s:g} s: {_way_out(connection)}") from None
    except duckdb.PermissionException as error:
        raise UserError(
            f"{first_line(error)}; the log's own files alone are read, and no link that leads out of it"
        ) from None
    except duckdb.Error as error:
        raise UserError(what_duckdb_said(error)) from None
    except (OSError, RuntimeError, MemoryError) as error:
        if is_shortage(error):
            raise UserError(str(advice(error))) from None
        if isinstance(error, OSError):
            raise UserError(f"cannot read {error.filename}: {error.strerror or error}") from None
        raise


def without_what_is_broken(
    connection: duckdb.DuckDBPyConnection, ask: Callable[[float | None], T], timeout_s: float | None = None
) -> T:
    """What `ask` returns, given the seconds that are left; asked again while it fails for runs and steps that prove to be
    broken, which are left out then. All times together, and the search, take no longer than `timeout_s`.
    """
    root = _root_of(connection)
    if root is None:
        return ask(timeout_s)
    end = time.monotonic() + (math.inf if timeout_s is None else timeout_s)

    def left_s() -> float | None:
        return None if timeout_s is None else max(end - time.monotonic(), 0)

    set_aside(connection, root)
    for _ in range(ATTEMPTS):
        try:
            return ask(left_s())
        except (duckdb.InternalException, duckdb.FatalException):  # nothing can be asked of this connection any more
            raise
        except OSError as error:
            if is_shortage(error) or not error.filename or Path(error.filename).parent != root:
                raise
            look_again(root, Path(error.filename).name)
            set_aside(connection, root)
        except duckdb.Error as error:
            if is_shortage(error):
                raise
            says_none = not str(error) or type(error) in (duckdb.Error, duckdb.IOException)
            is_unnamed = says_none and "No files found" not in str(error)
            find_broken(root, str(error), is_unnamed, min(SEARCH_S, end - time.monotonic()))
            try:
                is_news = set_aside(connection, root)
            except duckdb.TransactionException:  # in one of the caller's, which ended with the error
                is_news = False
            if not is_news:
                raise
    return ask(left_s())


def wrong_with(connection: duckdb.DuckDBPyConnection, run_id: str) -> Path | None:
    """The file for which a run was in no view when the connection was asked last; null: it was, or there is none."""
    root = _root_of(connection)
    return seen_last(root).runs.get(run_id) if root else None


def _root_of(connection: duckdb.DuckDBPyConnection) -> Path | None:
    """The folder of the log, which the connection calls by its whole path from then on, as what is left out is; null: none."""
    try:
        [(pattern,)] = connection.execute("select log_root()").fetchall()
    except duckdb.CatalogException:
        return None
    whole = absolute(unescaped(pattern))
    if pattern == pattern_of(whole) or not whole.is_dir():  # it is a URL, say, or a pattern of several logs
        return Path(unescaped(pattern))
    connection.execute("set variable log_root = ?", [pattern_of(whole)])
    return whole


def again_if_removed(read: Callable[[float | None], T], timeout_s: float | None) -> T:
    """What `read` returns, given the seconds that are left; asked again while it meets files that were just removed.

    A removal takes a moment, and so does a reader from listing files to opening them: another time it will be luckier. All
    times together take no longer than `timeout_s`. Raises the last `duckdb.IOException`.
    """
    end, attempts = time.monotonic() + (PATIENCE_S if timeout_s is None else timeout_s), 0
    while True:
        try:
            return read(None if timeout_s is None else end - time.monotonic())
        except duckdb.IOException as error:
            attempts += 1
            is_removed = any(words in str(error).lower() for words in ("no such file", "no files found"))
            if not is_removed or attempts == ATTEMPTS or time.monotonic() + PAUSE_S >= end:
                raise
        time.sleep(PAUSE_S)


def of_one_state(
    connection: duckdb.DuckDBPyConnection, read: Callable[[float | None], T], timeout_s: float | None
) -> T:
    """What `read` returns, as `again_if_removed` asks; asked again if a run began another epoch meanwhile, or somebody decided
    about a title, as time allows.

    A statement lists what counts once for each table that it reads: of a run that goes back to a checkpoint in between, it
    could join verdicts of the steps before with answers of those after. Likewise decisions, which each part of it reads anew.
    Steps that come in between are in none of its tables.
    """
    root = _root_of(connection)
    if root and not root.is_dir():  # what only DuckDB reads: a pattern of several logs, a URL
        root = None
    end = math.inf if timeout_s is None else time.monotonic() + timeout_s

    def attempt(left_s: float | None) -> tuple[T, bool]:
        away = _left_out(connection)
        names = listed(root, away) if root else {}
        before = {run: its.epoch for run, its in names.items()}, _decided(connection)
        with _as_listed(connection, root, names, away) if root else nullcontext(), decisions_by_name(connection):
            answer = read(left_s)
        return answer, (epochs(root, away) if root else {}, _decided(connection)) == before

    answer, is_one = again_if_removed(attempt, timeout_s)
    with suppress(Stopped):  # no time is left to ask again
        for _ in range(EPOCHS):
            if is_one:
                break
            answer, is_one = again_if_removed(attempt, None if timeout_s is None else end - time.monotonic())
    return answer


def _decided(connection: duckdb.DuckDBPyConnection) -> list[tuple | None]:
    """What changes where somebody decides about a title; none: the connection has no store."""
    [(decisions,)] = connection.execute("select getvariable('alias_files')").fetchall()
    return [sign_of(Path(unescaped(p))) for p in decisions or []]


def _left_out(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Ids of runs, and paths, which the views pass over."""
    [(left_out,)] = connection.execute("select getvariable('log_left_out')").fetchall()
    return {*(left_out or [])}


@contextmanager
def _as_listed(
    connection: duckdb.DuckDBPyConnection, root: Path, names: Mapping[str, Listed], away: Collection[str]
) -> Iterator[None]:
    """Have the views read, within, what was listed, but for what is known to be broken; and nothing that comes later."""
    files = [f"{run}/{n}" for run, its in names.items() for n in its.names if f"{root}/{run}/{n}" not in away]
    connection.execute("set variable log_listed = ?::varchar[]", [files])
    try:
        yield
    finally:
        with suppress(duckdb.Error):  # after a fault, or in a transaction that failed, DuckDB does nothing more
            connection.execute("reset variable log_listed")


def _way_out(connection: duckdb.DuckDBPyConnection) -> str:
    """What to do about a query that takes too long: each folder of steps costs it about a millisecond."""
    root = _root_of(connection)
    folders = state_of(root).folders if root else 0
    ways = "narrow it down to a run or a step"
    if folders > MANY_FOLDERS:
        ways += (
            f"; the log has {folders} folders of steps: `log compact` merges those of a run, `log delete` removes runs"
        )
    return ways


class Stopped(Exception):
    """A query took longer than it may."""


def _timed(connection, sql, params, timeout_s, most) -> pa.Table:
    done = threading.Event()
    clock = threading.Thread(target=_interrupt_after, args=(timeout_s, connection, done), daemon=True)
    clock.start()  # a RuntimeError, like that of a further thread, where the system begins none
    try:
        return _interruptible(connection, lambda: _rows(connection, sql, params, most))
    except duckdb.InterruptException:
        raise Stopped from None
    except UnicodeDecodeError as error:  # where it cuts a character in two, or a name in a damaged file is no text
        raise duckdb.DataError(error.object.decode(errors="replace")) from None
    except RuntimeError as error:  # where what DuckDB has to say is no text, as of a damaged file
        if is_shortage(error):
            raise
        raise duckdb.Error(str(error)) from None
    except pa.ArrowException as error:
        if is_shortage(error):
            raise
        raise UserError(
            f"the answer can't be handed on: {first_line(error)}; select less, or as text (::varchar)"
        ) from None
    finally:
        done.set()
        clock.join()  # else its last interrupt could meet the next query


def _interrupt_after(timeout_s: float | None, connection: duckdb.DuckDBPyConnection, done: threading.Event) -> None:
    """Interrupt what runs after `timeout_s` seconds, again and again: DuckDB forgets it where it begins a statement."""
    running = not done.wait(None if timeout_s is None else min(timeout_s, threading.TIMEOUT_MAX))
    while running:
        connection.interrupt()
        running = not done.wait(AGAIN_S)


def _interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], pa.Table]) -> pa.Table:
    """Do `work` in another thread: Python hears of Ctrl-C only while this one is not in DuckDB."""
    with ThreadPoolExecutor(1) as thread:
        working = thread.submit(work)
        try:
            return working.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


def _rows(connection, sql, params, most) -> pa.Table:
    asked = connection.sql(sql, params=params)
    rows = known_to_arrow(asked)
    table = rows.to_arrow_table() if most is None else _first(rows.to_arrow_reader(2048), most)
    return table.rename_columns(asked.columns)


def _first(rows: pa.RecordBatchReader, most: int) -> pa.Table:
    """Rows are computed as they are read: what lies behind the first `most` never is. Raises what DuckDB does."""
    batches, left = [], most
    for batch in batches_of(rows) if most else ():
        batches.append(batch.slice(0, left))
        left -= batches[-1].num_rows
        if not left:
            break
    return pa.Table.from_batches(batches, rows.schema)


def batches_of(rows: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """What DuckDB computes while it is read. Raises what DuckDB does, of which Arrow hands on no more than the words."""
    try:
        with rows:
            yield from rows
    except OSError as error:
        raise _kind_of(str(error))(str(error)) from None


def _kind_of(said: str) -> type[duckdb.Error]:
    """The kind of an error whose words alone are left: `duckdb.Error` where they don't say, as of damaged pages."""
    if kind := next((kind for words, kind in _ARROWS.items() if said.startswith(words)), None):
        return kind
    return duckdb.DataError if re.match(r"(?!Invalid Error)[A-Z][\w -]* Error: ", said) else duckdb.Error
