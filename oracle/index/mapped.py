"""The index of a store: its columns as Arrow files that every process maps into memory, and shares with all others.

The index of `store.duckdb` lies in `store.index/`. It is a cache: made when it is missing or older than the store, and
named after the very file that it was made from, so that a store that was replaced is never read with the old index.
Whoever has mapped an index keeps it. Where the folder cannot be written, the process holds the columns itself.
"""

import mmap
import os
import re
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.arrow import array_of, array_of_records, numbers_of
from oracle.base.errors import UserError
from oracle.base.files import version_of_store
from oracle.index.hashing import HashIndex, UniqueHashes, query_hashes, random_multipliers, text_hashes
from oracle.index.records import RISK, TITLE, UNKNOWN, film_records
from oracle.index.tables import Columns
from oracle.store import STORE_FORMAT, open_store

LAYOUT = 6  # of the files: an index of another layout is another index
VIEWS = ("titles", "films", "keys", "words", "common", "aliases", "aliased", "traits", "sources", "risks")
FILES = (
    "titles",
    "long_ids",
    "multipliers",
    "exact",
    "exact_buckets",
    "same",
    "same_buckets",
    "keys",
    "keys_buckets",
    "groups",
    "group_titles",
    "words",
    "common",
    "aliases",
    "aliased",
    "traits",
    "sources",
    "risk_kinds",
    "risk_records",
    "risk_rows",
    "risk_reasons",
)

RARE = ("keys", "keys_buckets", "words", "risk_rows", "risk_reasons")  # looked at for typos, and for reasons
MADV_POPULATE_READ = 22  # of Linux; not named in `mmap`
_NAME = re.compile(r"\d+(-\d+){4}((-\d+){3}){0,3}")
"""Of the folder of an index: see `_folder`."""


def open_index(store: str | Path) -> Columns:
    """Map the index of a store into memory, made first where need be. Raises `UserError` for what is no store."""
    store = Path(store)
    for _ in range(3):
        folder = _folder(store)
        try:
            return {name: _map(folder / f"{name}.arrow", name not in RARE) for name in FILES}
        except FileNotFoundError:
            pass
        except (NotADirectoryError, PermissionError):
            return _read_store(store)
        except ValueError:  # from mmap or Arrow: damaged, or not written to its end before the machine went down
            shutil.rmtree(folder, ignore_errors=True)
        columns = _read_store(store)
        try:
            _write(folder, columns)
        except OSError:
            break
    return columns


def _folder(store: Path) -> Path:
    """Where the index of this very file lies, for a program that matches as this one does."""
    if not store.is_file():
        raise UserError(f"no store at {store}; build one with pipeline/prepare.py or oracle.build_store")
    return store.with_suffix(".index") / "-".join(map(str, (STORE_FORMAT, LAYOUT, *version_of_store(store))))


def _read_store(store: Path) -> dict[str, pa.Table]:
    """Return what an index holds, by its FILES."""
    with open_store(store) as connection:
        columns = {name: _one_chunk(connection.sql(f"from index_{name}")) for name in VIEWS}
    title, year = array_of(columns["titles"], "title"), numbers_of(columns["titles"], "year")
    primary = numbers_of(columns["titles"], "is_primary")
    own = np.flatnonzero((primary == 1) & (year >= 0)).astype(np.int32)
    multipliers = random_multipliers()
    columns["multipliers"] = pa.table({"multiplier": multipliers})
    exact = query_hashes(title.take(pa.array(own)), year[own], multipliers)
    alone = ~_shared(exact, numbers_of(columns["titles"], "film")[own])
    _add_hashes(columns, "exact", exact[alone], own[alone])
    lower = text_hashes(pc.ascii_lower(title), multipliers)
    _add_hashes(columns, "same", lower, np.arange(len(title), dtype=np.int32))
    keys = HashIndex.build(numbers_of(columns["keys"], "hash"), numbers_of(columns["keys"], "title"))
    columns["keys"] = pa.table({"slot": keys.slots})
    columns["keys_buckets"] = pa.table({"start": keys.buckets})
    key_no = numbers_of(columns["titles"], "key_no")
    columns["group_titles"] = pa.table({"title": np.argsort(key_no, kind="stable").astype(np.int32)})
    columns["groups"] = pa.table({"start": np.cumsum(np.bincount(key_no + 1), dtype=np.int32)})
    _join_records(columns, _add_risks(columns))
    return columns


def _shared(hashes: np.ndarray, film: np.ndarray) -> np.ndarray:
    """Whether each title and year is that of another film too."""
    order = np.argsort(hashes, kind="stable")
    twins = (hashes[order][1:] == hashes[order][:-1]) & (film[order][1:] != film[order][:-1])
    return np.isin(hashes, hashes[order][1:][twins])


def _add_risks(columns: dict[str, pa.Table]) -> np.ndarray:
    """Add the risks, in blocks as `Risks` has them, and return the block of each film."""
    risks = columns.pop("risks")
    film, trait = numbers_of(risks, "film"), numbers_of(risks, "trait")
    rated, block = np.unique(film, return_inverse=True)
    blocks = np.zeros(len(columns["films"]), np.int32)
    blocks[rated] = np.arange(1, len(rated) + 1)
    records = np.zeros(len(risks) + 1, RISK)
    records["risk"][0] = UNKNOWN
    for name in ("risk", "source"):
        records[name][1:] = numbers_of(risks, name)
    for name, reason in (("tagged", "hit_tags"), ("graded", "severities")):
        records[name][1:] = pc.list_value_length(array_of(risks, reason)).to_numpy() > 0
    # The unknown risk is the lowest: the first record is the first kind.
    first, kind = _kinds(*(records[name] for name in ("risk", "source", "tagged", "graded")))
    some = np.flatnonzero(numbers_of(risks, "risk") > 0)
    rows = np.full(len(film), -1, np.int32)
    rows[some] = np.arange(len(some), dtype=np.int32)
    for name, column, none, values in (("risk_kinds", "kind", 0, kind[1:]), ("risk_rows", "row", -1, rows)):
        pairs = np.full((len(rated) + 1, len(columns["traits"])), none, values.dtype)
        pairs[block + 1, trait] = values
        columns[name] = pa.table({column: pairs.ravel()})
    columns["risk_records"] = pa.table({"record": array_of_records(records[first])})
    reasons = risks.select(["hit_tags", "severities"]).take(pa.array(some))
    columns["risk_reasons"] = pa.table({name: array_of(reasons, name) for name in reasons.column_names})
    return blocks


def _kinds(*fields: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (where each kind of row occurs first, the number of each row's kind, in as few bytes as will do).

    Kinds are in the order of their fields.
    """
    kind = np.zeros(len(fields[0]), np.int64)
    for field in fields:
        values, number = np.unique(field, return_inverse=True)
        _, first, kind = np.unique(kind * len(values) + number, return_index=True, return_inverse=True)
    return first, kind.astype(np.min_scalar_type(len(first)))


def _join_records(columns: dict[str, pa.Table], risk_blocks: np.ndarray) -> None:
    """Put what is known of each title and of its film into one record."""
    titles = columns["titles"]
    films, long_ids = film_records(array_of(columns.pop("films"), "imdb_id"), risk_blocks)
    records = np.empty(len(titles), TITLE)
    for name in ("film", "key_no", "wording_no", "year", "word_class"):
        records[name] = numbers_of(titles, name)
    records["primary"] = numbers_of(titles, "is_primary")
    records["of_film"] = films.take(records["film"])
    columns["titles"] = pa.table({"title": array_of(titles, "title"), "record": array_of_records(records)})
    columns["long_ids"] = pa.table({"imdb_id": long_ids})


def _add_hashes(columns: dict[str, pa.Table], name: str, hashes: np.ndarray, entries: np.ndarray) -> None:
    index = UniqueHashes.build(hashes, entries)
    columns[name] = pa.table({"hash": index.hashes, "entry": index.entries})
    columns[f"{name}_buckets"] = pa.table({"start": index.buckets})


def _one_chunk(relation: duckdb.DuckDBPyRelation) -> pa.Table:
    table = relation.to_arrow_table()
    return pa.table({name: pa.concat_arrays(table[name].chunks) if table.num_rows else pa.array([], table[name].type)
                     for name in table.column_names})  # fmt: skip


def _write(folder: Path, columns: Columns) -> None:
    """Write an index, there whole or not at all, and remove those of earlier stores."""
    temporary = folder.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.mkdir(parents=True)
        for name, table in columns.items():
            with open(temporary / f"{name}.arrow", "wb") as file:
                with pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
                file.flush()
                os.fsync(file.fileno())
                _forget(file.fileno())
        try:
            os.rename(temporary, folder)
        except OSError:  # another process was first
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for other in folder.parent.iterdir():
        if other != folder and _NAME.fullmatch(other.name):  # what else lies there is somebody's own
            shutil.rmtree(other, ignore_errors=True)


def _forget(file: int) -> None:
    """Let the system drop a file from memory: what was just written lies there in small pages."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)


def _map(file: Path, at_once: bool) -> pa.Table:
    """Map a file, in pages of 2 MB where the system can: most look-ups in pages of 4 KB would miss the processor's page table.

    `at_once`: read all of it now, not when it is first looked at.
    """
    with open(file, "rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux: elsewhere the numbers mean other things
        for advice in (mmap.MADV_HUGEPAGE, MADV_POPULATE_READ) if at_once else (mmap.MADV_HUGEPAGE,):
            with suppress(OSError):  # older kernels
                mapped.madvise(advice)
    try:
        return pa.ipc.open_file(pa.py_buffer(mapped)).read_all()
    except OSError as error:
        raise ValueError(f"{file} is damaged: {error}") from None
