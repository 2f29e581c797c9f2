"""The store: one DuckDB file with titles, traits and risks. Written whole, then swapped in; read without a lock."""

import os
import re
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import md5
from importlib.resources import as_file, files
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa

from oracle.errors import UserError
from oracle.log_views import create_log_views
from oracle.sql import read_sql
from oracle.traits import Trait, read_traits

SCHEMA_VERSION = 2
DERIVATIONS = (
    "clean",
    "normalise",
    "forms",
    "risk",
    "matching",
    "resolve",
    "verdict",
    "nearest",
    "provenance",
    "index",
)

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
        insert_traits(connection, bundled_traits() if traits is None else traits)
        for table, source in sources.items():
            if source is not None:
                _insert(connection, table, source)
    return Path(path)


def build_starter_store(path: str | Path) -> Path:
    """Build a store from the bundled starter data."""
    with new_store(path) as connection, as_file(files("data")) as folder:
        insert_traits(connection, folder / "traits.json")
        for view, name in (("films", "films"), ("tags", "film_tags"), ("titles", "alternative_titles")):
            # The nested quotes of a title are doubled: say so, rather than have DuckDB guess from a sample.
            relation = connection.read_csv(str(folder / f"{name}.csv"), header=True, quotechar='"', escapechar='"')
            relation.create_view(f"starter_{view}")
        connection.execute(read_sql("starter"))
        for view in ("films", "tags", "titles"):
            connection.execute(f"drop view starter_{view}")
    return Path(path)


def bundled_traits() -> list[Trait]:
    """The traits of the starter data."""
    with as_file(files("data") / "traits.json") as path:
        return read_traits(path)


def insert_traits(connection: duckdb.DuckDBPyConnection, traits: str | Path | Sequence[Trait]) -> None:
    """Add trait definitions to a store that is being written; raises `UserError` for a name that is there already."""
    definitions = read_traits(traits) if isinstance(traits, str | Path) else list(traits)
    tables: dict[str, list[dict]] = {
        "traits": [{"trait": trait.name} for trait in definitions],
        "trait_tags": [{"trait": trait.name, "tag": tag} for trait in definitions for tag in trait.avoid],
        "trait_weights": [
            {"trait": trait.name, "category": category, "weight": weight}
            for trait in definitions
            for category, weight in trait.weights
        ],
    }
    present = [name for (name,) in connection.execute("select trait from traits order by ordinal").fetchall()]
    names = [trait.name for trait in definitions]
    twice = sorted(name for name, times in Counter(present + names).items() if times > 1)
    if twice:
        raise UserError(f"traits are defined twice: {'; '.join(twice)}; expected each name once")
    count = len(present)
    tables["traits"] = [{**row, "ordinal": count + number} for number, row in enumerate(tables["traits"])]
    for table, rows in tables.items():
        if rows:
            connection.register("new_rows", pa.Table.from_pylist(rows))
            connection.execute(f"insert into {table} by name from new_rows")
            connection.unregister("new_rows")


@contextmanager
def new_store(path: str | Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to an empty store; at the end derive the rest, and put the file at `path` in one move."""
    with _swapped_in(Path(path)) as temporary, duckdb.connect(str(temporary)) as connection:
        connection.execute("set enable_progress_bar = false")
        for name in ("schema", "normalise"):
            connection.execute(read_sql(name))
        connection.execute(
            "insert into store_info values (?, current_timestamp, null, ?)", [SCHEMA_VERSION, derived_by()]
        )
        yield connection
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
            derive(connection)
            _create_log_views(connection, path)


def _create_log_views(connection: duckdb.DuckDBPyConnection, path: str | Path) -> None:
    """Add the views over the store's run log, and what its titles could mean."""
    create_log_views(connection, log_root(path))
    connection.execute(read_sql("title_candidates"))


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
        raise UserError(_first_line(error).removeprefix("Invalid Input Error: ")) from None


@cache
def derived_by() -> str:
    """What tells stores apart whose statements differ: a hash of these, but for comments and white space."""
    statements = "\n".join(read_sql(name) for name in ("schema", *DERIVATIONS))
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
                raise UserError(f"{path} is not a DuckDB store that can be read: {_first_line(error)}") from None
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
        raise UserError(f"{table} cannot be stored: {_first_line(error)}") from None
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
    return reader(str(source)).create_view("new_rows")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
