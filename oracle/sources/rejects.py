"""The rows that could not be used, in a CSV file for each source: row, content, reason."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv

from oracle.base.errors import UserError
from oracle.base.files import beside, check_writable, sync


def rejects_path(store: Path, source: Path, number: int, dataset: Path | None = None) -> Path:
    """Return where the rejects of a source go: `<store>.rejects/<its name>.<number>.csv`, its number being its id in the store.

    Those of the files of a dataset go to `<store>.rejects/<dataset's name>/`: there a file's number is its place among them.
    """
    folder = store.with_suffix(".rejects")
    return (folder / dataset.name if dataset else folder) / f"{source.name}.{number}.csv"


@contextmanager
def rejects_beside(rejects: pa.Table, path: Path) -> Iterator[None]:
    """Write rejects (row, content, reason) beside `path`, and put them there at the end; without any, nothing is there then.

    What is there under the same number goes: the source had another name before.
    An exception leaves everything as it was. Raises `UserError` where they can't be written.
    (`written_whole` would take an `OSError` of what comes meanwhile for one of this file.)
    """
    if not len(rejects):
        yield
        _remove(_same_number(path))
        return
    place = Path(os.path.realpath(path))
    part, made = beside(place), [folder for folder in list(place.parents)[:2] if not folder.exists()]
    try:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            check_writable(path)
            pa_csv.write_csv(rejects, part)
            sync(part)
        except OSError as error:
            told = error.strerror or error
            blocks = next((folder for folder in list(path.parents)[:2] if folder.is_file()), path.parent)
            raise UserError(f"cannot write {path}: {told}; free some space, or move {blocks} away") from None
        yield
        os.replace(part, place)
        _remove(other for other in _same_number(path) if other != path)
    except BaseException:
        _remove([part])
        for folder in made:
            with suppress(OSError):  # it could not be made
                folder.rmdir()
        raise


def _same_number(path: Path) -> list[Path]:
    return list(path.parent.glob(f"*.{path.suffixes[-2][1:]}.csv"))


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def take_rejects(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the rejects of the source being loaded, in the order of its rows."""
    return connection.sql("from rejects order by row, reason").to_arrow_table()
