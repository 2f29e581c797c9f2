"""The rows that could not be used, in a CSV file for each source: row, content, reason."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv

from oracle.base.errors import UserError
from oracle.base.files import beside, check_writable, sync


def rejects_path(store: Path, source: Path, namesakes: int) -> Path:
    """Return where the rejects of a source go: `<store>.rejects/<its name>.csv`.

    `namesakes` other sources of the store bear that name: then the file has a number.
    """
    return store.with_suffix(".rejects") / f"{source.name}{f'.{namesakes + 1}' if namesakes else ''}.csv"


@contextmanager
def rejects_beside(rejects: pa.Table, path: Path) -> Iterator[None]:
    """Write rejects (row, content, reason) beside `path`, and put them there at the end; without any, remove what is there.

    An exception leaves everything as it was. Raises `UserError` where they can't be written.
    (`written_whole` would take an `OSError` of what comes meanwhile for one of this file.)
    """
    if not len(rejects):
        yield
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
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
        with suppress(FileNotFoundError, NotADirectoryError):
            part.unlink()
        if is_new:
            with suppress(OSError):  # it could not be made
                place.parent.rmdir()
        raise


def take_rejects(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the rejects of the source being loaded, in the order of its rows."""
    return connection.sql("from rejects order by row, reason").to_arrow_table()
