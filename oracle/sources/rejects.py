"""The rows that could not be used, in a CSV file for each source: row, content, reason."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv

from oracle.base.errors import UserError
from oracle.base.files import check_writable, written_whole


def rejects_path(store: Path, source: Path, namesakes: int) -> Path:
    """Return where the rejects of a source go: `<store>.rejects/<its name>.csv`.

    `namesakes` other sources of the store bear that name: then the file has a number.
    """
    return store.with_suffix(".rejects") / f"{source.name}{f'.{namesakes + 1}' if namesakes else ''}.csv"


def ready_for_rejects(path: Path) -> None:
    """Make the folder of a file of rejects; raises `UserError` where the file can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; move {path.parent} away") from None
    check_writable(path)


def write_rejects(rejects: pa.Table, path: Path) -> Path | None:
    """Write rejects (row, content, reason) to `path`, or remove what an earlier load left there; return the path."""
    if not len(rejects):
        path.unlink(missing_ok=True)
        return None
    ready_for_rejects(path)
    with written_whole(path) as part:
        pa_csv.write_csv(rejects, part)
    return path


def take_rejects(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the rejects of the source being loaded, in the order of its rows."""
    return connection.sql("from rejects order by row, reason").to_arrow_table()
