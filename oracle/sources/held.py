"""Which files a store has read already: by their content, from where they were read, and where it is now."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from oracle.base.errors import UserError, first_line
from oracle.sources import kinds
from oracle.sources.kinds import Source, category_of
from oracle.store import open_store


@dataclass(frozen=True)
class Evidence:
    """From when on a film carries a tag that people voted on, or that a model gave a relevance."""

    tag_share: float = 0.5
    """Share of the votes that say "yes", in 0..1; what is below says that the film does not carry the tag."""
    tag_votes: int = 1
    """Fewer votes than these say nothing."""
    relevance: float = 0.5
    """Of MovieLens' tag genome, in 0..1."""

    def __post_init__(self) -> None:
        for name, value in (("tag_share", self.tag_share), ("relevance", self.relevance)):
            if not 0 < value <= 1:
                raise UserError(f"--{name} {value}: expected a number above 0 and at most 1")
        if self.tag_votes < 1:
            raise UserError(f"--tag_votes {self.tag_votes}: expected a number of at least 1")


USUAL = Evidence()


def held_from(
    sources: Sequence[Source], digests: dict[str, str], known: list[dict], evidence: Evidence
) -> dict[str, str]:
    """Return whose content the store holds, or will from an earlier one of these sources: key -> the path that it is there from.

    A path that the store knows holds what it brought, and nothing else. A new one is held by another that brought the same
    and still has it: rows of a file that was moved or changed since go as soon as another content comes from there.
    """
    brought = {row["path"]: row["digest"] for row in known}
    held: dict[str, str] = {}
    for number, source in enumerate(sources):
        digest = digests[source.key]
        if source.key in brought:
            paths = [source.key] if brought[source.key] == digest else []
        else:
            paths = [path for path in brought if brought[path] == digest and _has(path, source, digests, evidence)]
            paths += [earlier.key for earlier in sources[:number] if digests[earlier.key] == digest]
        if paths:
            held[source.key] = paths[0]
    return held


def _has(path: str, source: Source, digests: dict[str, str], evidence: Evidence) -> bool:
    """Whether the file at `path` has the content of a source now."""
    if path in digests:
        return digests[path] == digests[source.key]
    try:
        return Path(path).is_file() and digest_of(replace(source, path=Path(path)), evidence) == digests[source.key]
    except OSError:  # nobody can say what it has
        return False


def known_sources(store: Path) -> list[dict]:
    """Return the sources that the store holds, of those that were read from files."""
    if not store.is_file():
        return []
    try:
        with open_store(store) as connection:
            rows = connection.sql("from sources").to_arrow_table().to_pylist()
    except duckdb.Error as error:  # DuckDB takes the names of some files for other things than databases
        raise UserError(f"{store} is not a DuckDB store: {first_line(error)}; name another file") from None
    return [row for row in rows if row.get("digest")]


def digest_of(source: Source, evidence: Evidence) -> str:
    """What makes a load the same: what its files say, what its columns were taken for, and from when on a tag counts."""
    digest = hashlib.sha256()
    for path in (source.path, *([source.beside.path] if source.beside else [])):
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(repr(sorted(source.columns.items())).encode())
    if source.kind is kinds.SEVERITY_VOTES:
        digest.update(repr(category_of(source)).encode())  # its file's name says something too
    if evidence != USUAL:
        digest.update(repr(evidence).encode())
    return digest.hexdigest()


def moved_here(connection: duckdb.DuckDBPyConnection, source_id: int, digest: str) -> list[int]:
    """The other sources that brought this very content, from files that are gone: one was moved onto this one's place."""
    found = connection.execute(
        "select source_id, path from sources where digest = ? and source_id <> ?", [digest, source_id]
    )
    return [other for other, path in found.fetchall() if _is_gone(path)]


def _is_gone(path: str) -> bool:
    """Whether there is no file, as far as anybody can say."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        pass
    return False
