"""A store is one DuckDB file, written whole and then swapped in, and read without a lock."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from oracle.base.database import check_path, connect, copied, share
from oracle.base.errors import UserError, first_line
from oracle.base.files import BESIDE, beside, left_beside, log_around, log_root
from oracle.base.nouns import FILMS, Nouns
from oracle.base.resources import read_sql
from oracle.base.store_format import STORE_FORMAT, check_format
from oracle.log import create_log_views, name_alias_files, quoted_name, use_alias_files

DERIVATIONS = (
    "store/clean",
    "titles/spellings",
    "titles/normalise",
    "titles/rules",
    "titles/variants",
    "risk/tag_key",
    "risk/tags",
    "risk/risk",
    "risk/coverage",
    "titles/keys",
    "titles/aliases",
    "titles/resolve",
    "risk/verdict",
    "titles/nearest",
    "store/provenance",
    "store/index",
)


@contextmanager
def new_store(path: str | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to an empty store; at the end derive the rest, and put the file at `path` in one move."""
    with _swapped_in(Path(path)) as temporary, connect(temporary) as connection, _made(connection, path):
        yield connection


@contextmanager
def renewed_store(path: str | Path, ours: Collection[tuple[str, str]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same in a copy of the store at `path`, of whatever format, in which what has the name of one of `ours` (`made_of`) is
    dropped before; all else, which is somebody's own, stays there."""
    is_ours = {(name, "macro" in kind) for name, kind in ours}  # macros have names of their own
    with _swapped_in(Path(path)) as temporary:
        shutil.copyfile(path, temporary)
        with connect(temporary) as connection:
            for name, kind in connection.execute(read_sql("store/objects")).fetchall():
                if (name, "macro" in kind) in is_ours:
                    connection.execute(f"drop {kind} {quoted_name(name)}")
            put_down(connection)  # what they took is free from then on
            with _made(connection, path):
                yield connection


def made_of(path: str | Path) -> list[tuple[str, str]]:
    """What an empty store at `path` is made of: names, each with its kind, as DROP calls it."""
    with connect() as blank:
        with _made(blank, path):
            pass
        return blank.execute(read_sql("store/objects")).fetchall()


@contextmanager
def _made(connection: duckdb.DuckDBPyConnection, path: str | Path) -> Iterator[None]:
    """Make the tables of a store, empty; at the end derive the rest."""
    connection.execute("set enable_progress_bar = false")
    for name in ("store/schema", "titles/spellings", "titles/normalise"):
        connection.execute(read_sql(name))
    connection.execute("insert into store_info values (?, current_timestamp, null)", [STORE_FORMAT])
    yield
    _complete(connection, path)
    put_down(connection)


@contextmanager
def changed_store(path: str | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a private copy of the store at `path`; at the end derive, and swap the copy in.

    Whoever has the old file open keeps reading it. An exception leaves the store as it was.
    """
    with _swapped_in(Path(path)) as temporary:
        shutil.copyfile(path, temporary)
        with connect(temporary) as connection:
            connection.execute("set enable_progress_bar = false")
            check_format(connection, path)
            yield connection
            _complete(connection, path)
            put_down(connection)


def _complete(connection: duckdb.DuckDBPyConnection, path: str | Path) -> None:
    """Derive what a store at `path` has beside its tables."""
    name_alias_files(connection, path)
    derive(connection)
    create_log_views(connection, log_root(path), "titles/candidates")


def settle(connection: duckdb.DuckDBPyConnection, path: str | Path) -> None:
    """Tell a store that was made elsewhere that its place is `path`."""
    name_alias_files(connection, path)
    create_log_views(connection, log_root(path))
    put_down(connection)


def put_down(connection: duckdb.DuckDBPyConnection) -> None:
    """Have all that was written in the file itself. Closing does so too, but on a full disk it fails in silence."""
    connection.execute("checkpoint")


def derive(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring new rows into the store's form, and derive risks and title keys from the tables as they now are.

    Raises `UserError` for a risk or severity that is out of range.
    """
    try:
        for name in DERIVATIONS:
            connection.execute(read_sql(name))
    except duckdb.InvalidInputException as error:
        raise UserError(first_line(error).removeprefix("Invalid Input Error: ")) from None


@contextmanager
def open_store(path: str | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a read-only connection, to a private copy of the file where `open_file` says so.

    Raises `UserError` for a path that is no store of this format.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no store at {path}; build one with pipeline/prepare.py or oracle.build_store")
    with open_file(path) as connection:
        connection.execute("set enable_progress_bar = false")
        check_format(connection, path)
        use_alias_files(connection, path)
        try:
            yield connection
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise UserError(f"{path} lacks what a store has ({first_line(error)}): build it again") from None


def made_from(path: str | Path) -> str:
    """A sum of what the store at `path` was made from, and when: another one for a store that is built anew or given other sources,
    the same for one that is brought up to date, and whatever people decide about titles."""
    with open_store(path) as connection:
        [(built,)] = connection.sql("select epoch_us(created_at) from store_info").fetchall()
        sources = connection.sql("from sources").to_arrow_table().to_pylist()
    parts = sorted((row["kind"] or "", row.get("digest") or "") for row in sources)
    return hashlib.sha256(repr((built, parts)).encode()).hexdigest()


def read_nouns(path: str | Path) -> Nouns:
    """What the store at `path` calls the things that it recommends; films where there is no store, only its log."""
    if not Path(path).is_file():
        return FILMS
    with open_store(path) as connection:
        [(one, many)] = connection.sql("select noun, nouns from domain").fetchall()
    return Nouns(one, many)


@contextmanager
def open_file(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a read-only connection to a store of any format; to a private copy where another program holds the file's lock,
    or this one has the file open in another way, as by a plain `duckdb.connect`.

    Raises `UserError` for a file that is no DuckDB database.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            connection = _connected(path, folder)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            reason = _other_kind(path) or f"that can be read: {first_line(error)}"
            raise UserError(f"{path} is not a DuckDB store {reason}") from None
        with connection:
            yield connection


def _connected(path: Path, folder: str) -> duckdb.DuckDBPyConnection:
    """To the file, or to a copy of it in `folder`."""
    try:
        return connect(path, read_only=True)
    except duckdb.ConnectionException:
        return connect(_copied_by_another(path, folder), read_only=True)
    except duckdb.IOException as error:
        if not _is_locked(error):
            raise
        return connect(copied(path, folder), read_only=True)


def _is_locked(error: duckdb.IOException) -> bool:
    """Whether another program holds the file. (The rest of the message names the file, whose path may be anything.)"""
    return first_line(error).startswith("IO Error: Could not set lock on file")


def _other_kind(path: Path) -> str | None:
    """What a file is that is none of DuckDB's, and what to do; null where it looks like one."""
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError:
        return None
    if head[8:12] == b"DUCK":
        return None
    kind = "an SQLite file" if head.startswith(b"SQLite format 3") else "some other file" if head else "empty (0 bytes)"
    return f"(it is {kind}): name one that prepare has made, or a free name for a new one"


def _copied_by_another(path: Path, folder: str) -> Path:
    """`copied` of a file that this process has open; if it closed the file after copying, its own locks on it would end."""
    program = "import shutil, sys; [shutil.copy(file, sys.argv[-1]) for file in sys.argv[1:-1]]"
    command = [sys.executable, "-I", "-c", program, *map(str, [path, *left_beside(path)]), folder]
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
        raise UserError(f"{path} is open in this process and cannot be copied to {folder}: close it, then try again")
    return Path(folder) / path.name


def refuse_in_use(path: Path) -> None:
    """Raises `UserError` while another program has the store open for writing, or has left its last writes beside it."""
    busy = None
    try:
        if path.is_file():
            share(path).close()
    except duckdb.ConnectionException:
        busy = f"process {os.getpid()}"
    except duckdb.IOException as error:
        if _is_locked(error):
            number = re.search(r"\(PID (\d+)\)", str(error))
            busy = f"process {number[1]}" if number else "another program"
    except duckdb.Error:
        pass  # no store, and nobody's
    if busy:
        raise UserError(f"{path} is open for writing in {busy}: close it there, then try again; nothing was changed")
    if left := left_beside(path):
        raise UserError(
            f"{left[0]} holds writes of another program that are not in the store yet: end that program; or if it was killed, "
            "open the store once in DuckDB and close it (where there is no store any more, remove them); then try again; "
            "nothing was changed"
        )


def place_of(path: Path) -> Path:
    """Where the file of a store at `path` is to be. Raises `UserError` where no store can be, before any work is done."""
    check_path(path)
    place = Path(os.path.realpath(path))
    if place.exists() and not place.is_file():
        what = "a folder" if place.is_dir() else "no plain file"
        raise UserError(f"cannot write a store at {path}: that is {what}, expected a file name such as store.duckdb")
    if log := log_around(place):
        raise UserError(f"cannot write a store at {path}: {log} is a run log; choose another folder")
    if {path.suffix, place.suffix} & BESIDE:
        raise UserError(
            f"cannot write a store at {path}: a folder beside it has that ending; "
            "expected another ending, such as store.duckdb"
        )
    return place


@contextmanager
def _swapped_in(path: Path) -> Iterator[Path]:
    """Yield a free path beside `path`; move what was written there to `path` in one step, unless it failed.

    A symbolic link stays, and what it leads to is replaced.
    """
    place = place_of(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write a store at {path}: {error.strerror}") from None
    refuse_in_use(place)
    temporary = beside(place)
    try:
        yield temporary
        refuse_in_use(place)
        os.replace(temporary, place)
    finally:
        for leftover in (temporary, temporary.with_name(temporary.name + ".wal")):
            leftover.unlink(missing_ok=True)
