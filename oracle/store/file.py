"""A store is one DuckDB file, written whole and then swapped in, and read without a lock."""

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import md5
from pathlib import Path

import duckdb

from oracle.base.errors import UserError, first_line
from oracle.base.resources import read_sql
from oracle.log import create_log_views, pattern_of, quoted

SCHEMA_VERSION = 2
DERIVATIONS = (
    "store/clean",
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
    with _swapped_in(Path(path)) as temporary, duckdb.connect(str(temporary)) as connection:
        connection.execute("set enable_progress_bar = false")
        for name in ("store/schema", "titles/normalise"):
            connection.execute(read_sql(name))
        connection.execute(
            "insert into store_info values (?, current_timestamp, null, ?)", [SCHEMA_VERSION, derived_by()]
        )
        yield connection
        _name_alias_files(connection, path)
        derive(connection)
        _create_log_views(connection, path)


@contextmanager
def changed_store(path: str | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a private copy of the store at `path`; at the end derive, and swap the copy in.

    Whoever has the old file open keeps reading it. An exception leaves the store as it was.
    """
    with _swapped_in(Path(path)) as temporary:
        shutil.copyfile(path, temporary)
        with duckdb.connect(str(temporary)) as connection:
            connection.execute("set enable_progress_bar = false")
            _check_version(connection, path)
            yield connection
            _name_alias_files(connection, path)
            derive(connection)
            _create_log_views(connection, path)


def _create_log_views(connection: duckdb.DuckDBPyConnection, path: str | Path) -> None:
    """Add the views over the store's run log, and what its titles could mean."""
    create_log_views(connection, log_root(path))
    connection.execute(read_sql("titles/candidates"))


def alias_files(path: str | Path) -> list[Path]:
    """Where the decisions about a store's titles are: the file of an older name, only read, and the one that is written.

    `store.duckdb` -> `store.aliases.jsonl`, `store.duckdb.aliases.jsonl`.
    """
    path = Path(path).absolute()
    return list(dict.fromkeys((path.with_suffix(".aliases.jsonl"), path.with_name(path.name + ".aliases.jsonl"))))


def _name_alias_files(connection: duckdb.DuckDBPyConnection, path: str | Path) -> None:
    """Tell a store where the decisions about its titles are; files that aren't there are none."""
    # As patterns: of those, none need be there.
    files = ", ".join(quoted(pattern_of(file)[:-1] + "[l]") for file in alias_files(path))
    connection.execute(f"create or replace macro alias_files() as coalesce(getvariable('alias_files'), [{files}])")


def log_root(path: str | Path) -> Path:
    """Where the run log of a store is: beside it, `store.duckdb` -> `store.log`."""
    if not Path(path).name:
        raise UserError(f"store {str(path)!r}: expected the path of a file")
    return Path(path).with_suffix(".log")


def derive(connection: duckdb.DuckDBPyConnection) -> None:
    """Bring new rows into the store's form, and derive risks and title keys from the tables as they now are.

    Raises `UserError` for a risk or severity that is out of range.
    """
    try:
        for name in DERIVATIONS:
            connection.execute(read_sql(name))
    except duckdb.InvalidInputException as error:
        raise UserError(first_line(error).removeprefix("Invalid Input Error: ")) from None


@cache
def derived_by() -> str:
    """What tells stores apart whose statements differ: a hash of these, but for comments and white space."""
    statements = "\n".join(read_sql(name) for name in ("store/schema", *DERIVATIONS))
    return md5(re.sub(r"--.*|\s+", " ", statements).encode(), usedforsecurity=False).hexdigest()[:12]


@contextmanager
def open_store(path: str | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a read-only connection; where another program holds the file's lock, to a private copy of the file.

    Raises `UserError` for a path that is no store of this version.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no store at {path}; build one with pipeline/prepare.py or oracle.build_store")
    with tempfile.TemporaryDirectory() as folder:
        try:
            connection = duckdb.connect(str(path), read_only=True)
        except duckdb.Error as error:
            if not isinstance(error, duckdb.IOException) or "lock" not in str(error):
                raise UserError(f"{path} is not a DuckDB store that can be read: {first_line(error)}") from None
            connection = duckdb.connect(shutil.copy(path, folder), read_only=True)
        with connection:
            connection.execute("set enable_progress_bar = false")
            _check_version(connection, path)
            yield connection


def _check_version(connection: duckdb.DuckDBPyConnection, path: str | Path) -> None:
    try:
        [(version,)] = connection.execute("select schema_version from store_info").fetchall()
    except (duckdb.Error, ValueError):
        raise UserError(f"{path} is a DuckDB file, but no store: it has no table store_info of one row") from None
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path} is a store of schema version {version}, and this program needs {SCHEMA_VERSION}: build it again"
        )
    [(derived,)] = connection.execute("select derived_by from store_info").fetchall()
    if derived != derived_by():
        raise UserError(f"{path} was built by another version of this program: remove it, and build it again")


@contextmanager
def _swapped_in(path: Path) -> Iterator[Path]:
    """Yield a free path beside `path`; move what was written there to `path` in one step, unless it failed."""
    if path.is_dir():
        raise UserError(f"cannot write a store at {path}: that is a folder, expected a file name such as store.duckdb")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write a store at {path}: {error.strerror}") from None
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        for leftover in (temporary, temporary.with_name(temporary.name + ".wal")):
            leftover.unlink(missing_ok=True)
