"""The rows that could not be used, in a CSV file for each source: row, content, reason."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv

from oracle.base.errors import UserError
from oracle.base.files import beside, check_writable, sync

_HEADER = b'"row","content","reason"\n'


def rejects_of_store(store: Path) -> Path:
    """The folder of the rejects of a store's sources: `<store>.rejects`. A source's number there is its id in the store."""
    return store.with_suffix(".rejects")


def rejects_of_dataset(dataset: Path) -> Path:
    """The folder of the rejects of a dataset's files: `<dataset>.parquet.rejects`. A file's number there is its place."""
    return dataset.with_name(f"{dataset.name}.rejects")


def rejects_path(folder: Path, source: Path, number: int) -> Path:
    """Where the rejects of a source go in such a folder: `<its name>.<number>.csv`."""
    return folder / f"{source.name}.{number}.csv"


def forget_rejects(folder: Path, kept: Collection[Path]) -> None:
    """Remove the rejects of what is no source any more, or has another name now: all numbered files but those that are `kept`."""
    with suppress(OSError):  # what can't be removed misleads nobody so much that all else were to fail
        for path in folder.glob("*.[0-9]*.csv"):
            if path not in kept and _is_of_rejects(path):
                path.unlink()


@contextmanager
def rejects_beside(rejects: pa.Table, path: Path) -> Iterator[None]:
    """Write rejects (row, content, reason) beside `path`, and put them there at the end; without any, nothing is there then.

    An exception leaves everything as it was. Raises `UserError` where they can't be written.
    (`written_whole` would take an `OSError` of what comes meanwhile for one of this file.)
    """
    if not len(rejects):
        yield
        _remove(path)
        return
    place = Path(os.path.realpath(path))
    part, is_new = beside(place), not place.parent.exists()
    try:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            check_writable(path)
            pa_csv.write_csv(rejects, part)
            sync(part)
        except OSError as error:
            told = error.strerror or error
            raise UserError(f"cannot write {path}: {told}; free some space, or move {path.parent} away") from None
        yield
        os.replace(part, place)
    except BaseException:
        _remove(part)
        if is_new:
            with suppress(OSError):  # it could not be made
                place.parent.rmdir()
        raise


def _is_of_rejects(path: Path) -> bool:
    """Whether a file was written here; any other in the folder is somebody's own."""
    with suppress(OSError), open(path, "rb") as file:
        return file.readline(len(_HEADER) + 1) == _HEADER
    return False


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError, NotADirectoryError):
        path.unlink()


def take_rejects(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the rejects of the source being loaded, in the order of its rows."""
    return connection.sql("from rejects order by row, reason").to_arrow_table()
