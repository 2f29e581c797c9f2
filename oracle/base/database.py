"""Connections to DuckDB that never reach for the network, whatever they are told to open."""

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

import duckdb

from oracle.base.errors import UserError
from oracle.base.files import absolute, left_beside, version_of, version_of_store

ATTEMPTS = 3
PAUSE_S = 0.1

# A file that DuckDB takes for another program's (an SQLite store, say) makes it download the extension that reads it.
OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
}


def connect(
    path: str | Path = ":memory:", *, read_only: bool = False, threads: int | None = None
) -> duckdb.DuckDBPyConnection:
    """A connection to a DuckDB file, or to an empty database in memory; `threads` null: all cores.

    Raises `duckdb.Error` for a file that can't be opened, `UserError` for a path that DuckDB would read as an address.
    """
    if path != ":memory:":  # DuckDB takes "md:x" for a service
        path = absolute(path)
        check_path(path)
    wal = Path(f"{path}.wal")
    if wal.exists() and not wal.is_file():
        raise duckdb.IOException(f"{wal} is not a regular file: move it away")
    config = OFFLINE if threads is None else {**OFFLINE, "threads": threads}
    return duckdb.connect(str(path), read_only=read_only, config=config)


def check_path(path: str | Path, signs: str = "?\\") -> None:
    """Raises `UserError` for a path that DuckDB reads as another one: what stands behind a "?" are options to it, a backslash
    parts folders, as on Windows, and it knows no bytes that are no text. `signs`: those that matter here."""
    whole = str(absolute(path))
    if found := [sign for sign in signs if sign in whole and sign != os.sep]:
        raise UserError(f"{path}: DuckDB opens no file with a {found[0]} in its path; choose another name")
    if whole != whole.encode(errors="replace").decode():
        raise UserError(f"{path}: DuckDB opens no file whose path is not UTF-8 text; choose another name")


def pattern_of(path: str | Path) -> str:
    """The path as DuckDB's readers of files take it: as a pattern, in which it stands for itself. Else sweep[1] would be sweep1."""
    text = str(path)
    if not any(sign in text for sign in "*?["):
        return text
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(absolute(path)))


def unescaped(pattern: str) -> str:
    """What `pattern_of` made a pattern of; or the one path that a pattern of a single letter in brackets fits."""
    return re.sub(r"\[([*?[l])\]", r"\1", pattern)


def copied(path: Path, folder: str | Path) -> Path:
    """A copy of a DuckDB file, `folder`/store.duckdb, with what was written that is not in the file yet, but beside it.

    Raises `OSError` where it can't be read, or not be written there; `UserError` where another program changes it all the time.
    """
    copy = Path(folder) / "store.duckdb"
    for attempt in range(ATTEMPTS):  # of files that another program writes meanwhile, a copy may not fit together
        time.sleep(PAUSE_S * attempt)
        for earlier in (copy, *left_beside(copy)):
            earlier.unlink(missing_ok=True)
        version = version_of_store(path)
        shutil.copyfile(path, copy)
        for file in left_beside(path):
            with suppress(FileNotFoundError):
                shutil.copyfile(file, f"{copy}{file.name.removeprefix(path.name)}")
        if version_of_store(path) == version:
            return copy
    now = version_of(path)
    if version[: len(now)] != now:  # what is written beside it alone is added to what was copied
        raise UserError(f"cannot copy {path}: another program is writing to it; try again in a moment")
    return copy


def share(path: str | Path) -> duckdb.DuckDBPyConnection:
    """A read-only connection to a DuckDB file, which this process may read already by a plain `duckdb.connect`.

    Raises `duckdb.ConnectionException` where this process has it open for writing, another `duckdb.Error` as `connect` does.
    """
    try:
        return connect(path, read_only=True)
    except duckdb.ConnectionException:  # what is open is a DuckDB file: no extension is fetched to read it
        return duckdb.connect(str(path), read_only=True)
