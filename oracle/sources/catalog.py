"""A ground-truth catalog read for itself, without a store."""

from pathlib import Path

import pyarrow as pa

from oracle.base.database import connect
from oracle.base.errors import UserError
from oracle.base.resources import read_sql
from oracle.base.unpacked import LARGEST
from oracle.sources import kinds
from oracle.sources.load import load_one, ready
from oracle.sources.recognise import recognise


def read_catalog(path: str | Path, largest: int = LARGEST) -> pa.Table:
    """Return the films of a catalog: title, year (int16; null: not known), in the order of their titles.

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
