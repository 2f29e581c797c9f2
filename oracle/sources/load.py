"""Loading sources into a store: each once, each whole, with what could not be used set aside."""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import duckdb

from oracle.base.errors import UserError, first_line
from oracle.base.resources import read_sql
from oracle.sources import kinds
from oracle.sources.domain import load_domain
from oracle.sources.held import USUAL, Evidence, digest_of, held_from, known_sources, moved_here
from oracle.sources.kinds import Source, category_of
from oracle.sources.notes import told_of
from oracle.sources.rejects import forget_rejects, rejects_beside, rejects_of_store, rejects_path, take_rejects
from oracle.sources.rows import point_to, read_rows
from oracle.sources.traits import load_traits
from oracle.store import updated_store

Progress = Callable[[duckdb.DuckDBPyConnection, str], AbstractContextManager]


@dataclass(frozen=True)
class Loaded:
    """What became of one source."""

    source: Source
    rows_read: int
    rows_rejected: int
    rows_stored: int
    """Rows of the store that come from it."""
    is_new: bool
    """False: this very content is in the store already, and nothing was done."""
    held_from: Path | None = None
    """The other file from which it is there: its rows are that file's, and go with it."""
    rejects: Path | None = None
    """The file of rejected rows with their reasons."""
    reason: str = ""
    """Why the first of these was rejected."""
    notes: tuple[str, ...] = ()
    """What was taken for what, and what a person would not expect."""


def load_sources(
    store: str | Path,
    sources: Sequence[Source],
    starter: bool = True,
    progress: Progress = lambda connection, label: nullcontext(),
    evidence: Evidence = USUAL,
) -> list[Loaded]:
    """Load sources into the store at `store`, all of them or none.

    A source whose content is there already is left alone; one whose file has changed replaces what it brought before.
    The content of a new file is there already where another file brought it and still has it.
    A store that does not exist begins with the starter data, unless `starter` is False. `progress(connection, label)`
    is entered around each long step. `evidence` says which votes make a tag. Raises
    `UserError` for a source that can't be read or has no row that can be used,
    and leaves the store as it was.
    """
    store = Path(store)
    digests = {source.key: digest_of(source, evidence) for source in sources}
    known = known_sources(store)
    held = held_from(sources, digests, known, evidence)
    changed = [source for source in sources if source.key not in held]
    # Titles without years are read again with other sources: more of their films may be known now.
    again = [
        source
        for source in sources
        if source in changed or (changed and source.adds_to_known_films and held[source.key] == source.key)
    ]
    counts = {row["path"]: (row["rows_read"], row["rows_rejected"]) for row in known}
    loaded: list[Loaded] = []
    if again or not store.exists():
        with ExitStack() as last:  # the rejects take their place behind the store
            folder = last.enter_context(tempfile.TemporaryDirectory())
            with updated_store(store, starter) as connection:
                ready(connection, evidence)
                aside = rejects_of_store(store)
                for source in again:
                    with progress(connection, source.path.name):
                        done, source_id = _load(connection, source, digests, Path(folder))
                    path = rejects_path(aside, Path(source.key), source_id)
                    last.enter_context(rejects_beside(take_rejects(connection), path))
                    counts[source.key] = done.rows_read, done.rows_rejected
                    loaded.append(replace(done, rejects=path if done.rows_rejected else None))
                held_now = connection.execute("select path, source_id from sources where path is not null").fetchall()
                last.enter_context(progress(connection, "risks and title keys"))  # the store derives them as it closes
            forget_rejects(aside, [rejects_path(aside, Path(path), number) for path, number in held_now])
    named = {source.key: source.path for source in sources}
    for source in sources:
        if source not in again:
            there = held[source.key]
            other = None if there == source.key else named.get(there, Path(there))
            loaded.append(Loaded(source, *counts[there], 0, False, other))
    return loaded


def ready(connection: duckdb.DuckDBPyConnection, evidence: Evidence = USUAL) -> None:
    """Ready a connection to a store for loading sources."""
    for name, value in vars(evidence).items():
        connection.execute(f"set variable {name} = ?", [value])
    connection.execute("set enable_progress_bar = true; set enable_progress_bar_print = false")
    for name in ("risk/tag_key", "sources/begin", "sources/macros"):
        connection.execute(read_sql(name))


def load_one(connection: duckdb.DuckDBPyConnection, source: Source) -> Loaded:
    """Load one source into the tables of a ready connection; what is rejected stays in the table `rejects`."""
    with tempfile.TemporaryDirectory() as folder:
        return _load(connection, source, {source.key: digest_of(source, USUAL)}, Path(folder))[0]


def _load(
    connection: duckdb.DuckDBPyConnection, source: Source, digests: dict[str, str], folder: Path
) -> tuple[Loaded, int]:
    """Load one of the sources of `digests` in one transaction; also return its id."""
    digest = digests[source.key]
    with _transaction(connection, source, folder):
        [(source_id,)] = connection.execute(
            read_sql("sources/place"), {"path": source.key, "digest": digest, "named": list(digests)}
        ).fetchall()
        for replaced in (*moved_here(connection, source_id, digest), source_id):
            connection.execute("set variable source_id = ?", [replaced])
            connection.execute(read_sql("sources/replace"))
            if replaced != source_id:
                connection.execute("delete from sources where source_id = ?", [replaced])
        rows_read = _WHOLE_FILES.get(source.kind, partial(_rows, folder=folder))(connection, source)
        [(rejected, reason)] = connection.execute(read_sql("sources/rejected")).fetchall()
        [(stored,)] = connection.execute(read_sql("sources/stored")).fetchall()
        # A film's row may hold many tags: where films are told by their tags, what was stored counts.
        by_film = source.kind.from_records or "film_ids" in source.kind.statements
        if rejected >= rows_read or (by_film and rejected and not stored):
            told = f"none of its {rows_read:,} rows can be used ({reason})" if rows_read else "has no rows"
            raise UserError(f"{source.path}: {told}")
        if not stored and source.kind is kinds.IMDB_AKAS:
            raise UserError(f"{source.path} has no title of a film that the store knows: name title.basics too")
        notes = tuple(told_of(connection, source))
        connection.execute(
            read_sql("sources/note"),
            {"source_id": source_id, "path": source.key, "kind": source.kind.name, "rows_read": rows_read,
             "rows_rejected": rejected, "digest": digest},
        )  # fmt: skip
    return Loaded(source, rows_read, rejected, stored or rows_read, True, reason=reason or "", notes=notes), source_id


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection, source: Source, folder: Path) -> Iterator[None]:
    """Keep what is done within, or nothing of it; what DuckDB finds wrong with a source is a `UserError`."""
    connection.begin()
    try:
        yield
    except BaseException as error:
        connection.rollback()
        connection.unregister("raw_rows")  # may hold the file open
        if not isinstance(error, duckdb.Error):
            raise
        told = first_line(error).removeprefix("Invalid Input Error: ").removeprefix("IO Error: ")
        if long := re.search(r"Maximum (line) size of (\d+) bytes|maximum_object_size. of (\d+) bytes", str(error)):
            size = int(long[2] or long[3])  # DuckDB repeats what it could hold of the line
            told = f"a {long[1] or 'row'} has more than {size:,} bytes: shorten its texts, or leave it out"
        if "not utf-8 encoded" in told and (line := re.search(r"Line: (\d+)", told)):
            told = f"line {line[1]} is not UTF-8 text: save the file as UTF-8"
        if half := re.search(r"at byte (\d+).*surrogate", told):
            told = f"there is half a character (a lone surrogate, such as \\ud800) at byte {int(half[1]):,}: write it again"
        raise UserError(f"{source.path}: {told.replace(f'{folder}/source', source.path.name)}") from None
    connection.commit()


_WHOLE_FILES = {kinds.TRAITS: load_traits, kinds.DOMAIN: load_domain}


def _rows(connection: duckdb.DuckDBPyConnection, source: Source, folder: Path) -> int:
    """Take the rows of a source into the store; return how many it has."""
    kind = source.kind
    names_films = kind is not kinds.TITLE_IDS and (kind.from_records != "" or "year" in source.columns)
    connection.execute("set variable names_films = ?", [names_films])
    connection.execute("set variable tags_alone = ?", [kind is kinds.TAGS])
    if source.beside is not None:
        point_to(connection, source.beside, folder)
        read_rows(connection, source.beside)
        connection.execute(read_sql("sources/genome_tags"))
    point_to(connection, source, folder)
    if kind in (kinds.IMDB_BASICS, kinds.IMDB_AKAS):
        connection.execute(read_sql("sources/lines"))
        connection.execute(read_sql(f"sources/{kind.statements[0]}"))
        [(count,)] = connection.execute("select count(*) - 1 from lines").fetchall()
        return count
    read_rows(connection, source)
    [(count,)] = connection.execute(
        read_sql("sources/genome_count" if kind is kinds.GENOME else "sources/count")
    ).fetchall()
    if kind is kinds.SEVERITY_VOTES:
        connection.execute("set variable category = ?", [category_of(source)])
    for statement in kind.statements:
        connection.execute(read_sql(f"sources/{statement}"))
    return count
