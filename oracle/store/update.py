"""Changing a store as a whole: all that a command brings in appears at once, or nothing does."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from oracle.base.errors import UserError, first_line
from oracle.base.resources import read_sql
from oracle.log import create_log_views
from oracle.store.build import build_starter_store
from oracle.store.file import changed_store, log_root, new_store


@contextmanager
def updated_store(path: str | Path, starter: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a private copy of the store at `path`; at the end it takes the store's place.

    A store that is not there yet begins with the bundled starter titles, traits and risks, or empty (`starter` False).
    The starter's films are no ground truth: its catalog is left out. An exception leaves everything as it was. Raises
    `UserError` for a file that is no store, a folder that can't be written, and while another process does the same.
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
            with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
                draft = build_starter_store(Path(folder) / path.name)
                with changed_store(draft) as connection:
                    connection.execute("delete from catalog")
                    yield connection
                with duckdb.connect(str(draft)) as connection:
                    create_log_views(connection, log_root(path))
                os.replace(draft, path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the folder against other writers: of two copies, the one swapped in last would undo the first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write there")
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"cannot write a store at {path}: {error.strerror}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:  # a full disk, a small machine
        raise UserError(f"cannot write a store at {path}: {first_line(error)}") from None
    except BlockingIOError:
        raise UserError(f"another process is changing a store in {path.parent}: try again when it has ended") from None
    finally:
        os.close(folder)
