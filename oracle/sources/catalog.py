"""A ground-truth catalog read for itself, without a store; and read again for a run that had it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from oracle.base.database import connect
from oracle.base.errors import UserError
from oracle.base.printable import in_short
from oracle.base.resources import read_sql
from oracle.base.unpacked import LARGEST, LARGEST_MB, bytes_of
from oracle.sources import kinds
from oracle.sources.load import load_one, ready
from oracle.sources.recognise import recognise


def read_catalog(path: str | Path, largest: int = LARGEST) -> pa.Table:
    """Return the films of a catalog: title, year (int16; null: not known), imdb_id (null: not given), in the order of their titles.

    Takes any source that lists films with their titles and years: a pickle, CSV, JSON or Parquet. `largest` as for
    `recognise`. Raises `UserError`.
    """
    [source] = recognise([Path(path)], largest=largest)
    if source.kind not in (kinds.CATALOG, kinds.TITLES, kinds.TAGGED_TITLES, kinds.RATED_TITLES):
        raise UserError(f"{path} holds {source.kind.name}; expected a catalog with the columns title and year")
    with connect() as connection:
        for name in ("store/schema", "titles/spellings", "titles/normalise", "store/clean"):
            connection.execute(read_sql(name))
        ready(connection)
        load_one(connection, source)
        return connection.sql(read_sql("sources/catalog_films")).to_arrow_table()


def catalog_note(path: str | Path | None) -> dict[str, dict]:
    """What a run notes beside its settings of the catalog that it had in place of the store's: its file, and the sum of that."""
    return {"catalog": {"path": str(Path(path).absolute()), "sha256": _sum(Path(path))}} if path else {}


def noted_catalog(settings: Mapping) -> pa.Table | None:
    """The catalog of a run with these settings, as `read_catalog`; None: it had the store's.

    Raises `UserError` for a file that is gone, or is not what it was, and for settings of another type; a run that noted no sum
    is taken at its word.
    """
    catalog, catalog_path, max_mb = (settings.get(name) for name in ("catalog", "catalog_path", "max_mb"))
    if catalog and not (isinstance(catalog, Mapping) and isinstance(catalog.get("path"), str)):
        raise _mistyped("catalog", catalog, '{"path": …, "sha256": …}')
    if catalog_path and not isinstance(catalog_path, str):
        raise _mistyped("catalog_path", catalog_path, "the path of a file")
    if max_mb and not isinstance(max_mb, int):
        raise _mistyped("max_mb", max_mb, "a whole number")
    noted = catalog or {"path": catalog_path}
    if not noted["path"]:
        return None
    path = Path(noted["path"])
    if not path.is_file():
        raise UserError(f"{path}, the catalog that the run was judged with, is gone: bring it back")
    if "sha256" in noted and noted["sha256"] != _sum(path):
        raise UserError(f"{path}, the catalog that the run was judged with, is not what it was: bring it back")
    return read_catalog(path, bytes_of(max_mb or LARGEST_MB))


def _mistyped(name: str, value: object, expected: str) -> UserError:
    return UserError(f"its setting {name} is {in_short(json.dumps(value))}, expected {expected}")


def _sum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
