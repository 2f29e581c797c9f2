"""Building a store from tables, from files of a table each, or from the bundled starter data."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa

from oracle.base.database import pattern_of
from oracle.base.errors import UserError, first_line
from oracle.base.resources import DATA, read_sql
from oracle.store.file import new_store
from oracle.store.traits import Definitions, Trait, read_definitions

REQUIRED = {
    "titles": ("imdb_id", "title"),
    "given_risk": ("imdb_id", "trait", "risk"),
    "catalog": ("title",),
    "film_tags": ("imdb_id", "tag"),
    "film_severities": ("imdb_id", "category", "severity"),
}

Source: TypeAlias = pa.Table | str | Path | Sequence[dict]


def build_store(
    path: str | Path,
    titles: Source | None = None,
    trait_risk: Source | None = None,
    catalog: Source | None = None,
    *,
    traits: str | Path | Sequence[Trait] | None = None,
    film_tags: Source | None = None,
    film_severities: Source | None = None,
) -> Path:
    """Build a store at `path` from Arrow tables, lists of dicts, or CSV, Parquet and JSON files; replace one there.

    titles(imdb_id, title, year, [is_primary]); trait_risk(imdb_id, trait, risk in 0..1, [pg_risk, tag_trigger,
    hit_tags]): risks that are known ready-made; catalog(title, year, [imdb_id]); film_tags(imdb_id, tag);
    film_severities(imdb_id, category, severity 0..3). Any may be left out, and a year may be null. Ids may lack
    their "tt". `traits` are definitions or a JSON file of them, by default the bundled ones; a trait that only
    `trait_risk` names is added. Raises `UserError` for input that cannot be used, and leaves `path` as it was.
    """
    sources = {
        "titles": titles, "given_risk": trait_risk, "catalog": catalog,
        "film_tags": film_tags, "film_severities": film_severities,
    }  # fmt: skip
    with new_store(path) as connection:
        insert_traits(connection, bundled_definitions() if traits is None else traits)
        for table, source in sources.items():
            if source is not None:
                _insert(connection, table, source)
    return Path(path)


def build_starter_store(path: str | Path) -> Path:
    """Build a store from the bundled starter data."""
    with new_store(path) as connection:
        insert_traits(connection, DATA / "traits.json")
        for view, name in (("films", "films"), ("tags", "film_tags"), ("titles", "alternative_titles")):
            # The nested quotes of a title are doubled: say so, rather than have DuckDB guess from a sample.
            relation = connection.read_csv(
                pattern_of(DATA / f"{name}.csv"), header=True, quotechar='"', escapechar='"', hive_partitioning=False
            )
            relation.create_view(f"starter_{view}")
        connection.execute(read_sql("store/starter"))
        for view in ("films", "tags", "titles"):
            connection.execute(f"drop view starter_{view}")
    return Path(path)


def bundled_definitions() -> Definitions:
    """The trait definitions of the starter data."""
    return read_definitions(DATA / "traits.json")


def bundled_traits() -> list[Trait]:
    """The traits of the starter data."""
    return bundled_definitions().traits


def insert_traits(connection: duckdb.DuckDBPyConnection, traits: str | Path | Sequence[Trait] | Definitions) -> None:
    """Add trait definitions to a store that is being written; raises `UserError` for a name that is there already."""
    read = read_definitions(traits) if isinstance(traits, str | Path) else traits
    definitions, tag_synonyms = (read.traits, read.tag_synonyms) if isinstance(read, Definitions) else (list(read), {})
    present = [name for (name,) in connection.execute("select trait from traits order by ordinal").fetchall()]
    names = [trait.name for trait in definitions]
    twice = sorted(name for name, times in Counter(present + names).items() if times > 1)
    if twice:
        raise UserError(f"traits are defined twice: {'; '.join(twice)}; expected each name once")
    for table, rows in trait_rows(definitions, tag_synonyms, len(present)).items():
        if len(rows):
            connection.register("new_rows", rows)
            connection.execute(f"insert into {table} by name from new_rows")
            connection.unregister("new_rows")


_TEXT = pa.string()
_TRAIT_TABLES = {
    "traits": pa.schema([("trait", _TEXT), ("ordinal", pa.int32())]),
    "trait_tags": pa.schema([("trait", _TEXT), ("tag", _TEXT)]),
    "trait_weights": pa.schema([("trait", _TEXT), ("category", _TEXT), ("weight", pa.float64())]),
    "trait_synonyms": pa.schema([("trait", _TEXT), ("synonym", _TEXT)]),
    "tag_synonyms": pa.schema([("tag", _TEXT), ("synonym", _TEXT)]),
}


def trait_rows(
    traits: Sequence[Trait], tag_synonyms: Mapping[str, Sequence[str]], first_ordinal: int = 0
) -> dict[str, pa.Table]:
    """Return the rows of definitions, by the table of the store that they belong to."""
    rows: dict[str, list[dict]] = {
        "traits": [{"trait": trait.name, "ordinal": first_ordinal + number} for number, trait in enumerate(traits)],
        "trait_tags": [{"trait": trait.name, "tag": tag} for trait in traits for tag in trait.avoid],
        "trait_weights": [
            {"trait": trait.name, "category": category, "weight": weight}
            for trait in traits
            for category, weight in trait.weights
        ],
        "trait_synonyms": [{"trait": trait.name, "synonym": word} for trait in traits for word in trait.synonyms],
        "tag_synonyms": [{"tag": tag, "synonym": word} for tag, words in tag_synonyms.items() for word in words],
    }
    return {table: pa.Table.from_pylist(rows[table], schema) for table, schema in _TRAIT_TABLES.items()}


def _insert(connection: duckdb.DuckDBPyConnection, table: str, source: Source) -> None:
    """Insert a source's columns by name; columns that the table does not have are left out."""
    try:
        rows = _relation(connection, table, source)
        columns = [name for (name, *_) in connection.sql(f"describe {table}").fetchall()]
        missing = [name for name in REQUIRED[table] if name not in rows.columns]
        if missing:
            raise UserError(f"{table} lacks the column {', '.join(missing)}: it has {', '.join(rows.columns)}")
        names = ", ".join(name for name in columns if name in rows.columns)
        connection.execute(f"insert into {table} by name select {names} from new_rows")
    except duckdb.Error as error:
        raise UserError(f"{table} cannot be stored: {first_line(error)}") from None
    finally:
        connection.execute("drop view if exists new_rows")


def _relation(connection: duckdb.DuckDBPyConnection, table: str, source: Source) -> duckdb.DuckDBPyRelation:
    """Make a source readable as the view new_rows."""
    if not isinstance(source, str | Path):
        connection.register("new_rows", source if isinstance(source, pa.Table) else pa.Table.from_pylist(list(source)))
        return connection.table("new_rows")
    readers: dict[str, Callable] = {
        ".csv": connection.read_csv, ".parquet": connection.read_parquet, ".json": connection.read_json,
    }  # fmt: skip
    reader = readers.get(Path(source).suffix)
    if reader is None:
        raise UserError(f"cannot read {table} from {source}: expected a file .csv, .parquet or .json")
    return reader(pattern_of(source), hive_partitioning=False).create_view("new_rows")
