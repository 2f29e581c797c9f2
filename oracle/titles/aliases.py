"""What people decided about titles: which film a way to write one means. Kept beside the store, never in it.

`<store>.aliases.jsonl` (store.duckdb.aliases.jsonl) has one decision a line and is only ever appended to; the latest one about
a title and year holds, and an undo takes it back. A file of the older name, store.aliases.jsonl, is read before it. The oracle
applies them when it opens the store; SQL reads them anew (`sql/titles/aliases.sql`, the same rules).
"""

import errno
import json
import logging
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pyarrow as pa

from oracle.base.errors import UserError
from oracle.base.files import check_readable, is_there
from oracle.base.printable import one_line
from oracle.store import alias_files, open_store, read_nouns

ACTIONS = ("confirm", "reject", "undo")
MAX_TITLE, MAX_ID = 500, 100  # characters
DECISIONS = pa.schema(
    [
        ("title", pa.string()),
        ("year", pa.int16()),
        ("imdb_id", pa.string()),
        ("action", pa.string()),
        ("at", pa.string()),
    ]
)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_log = logging.getLogger(__name__)


def aliases_path(store_path: str | Path) -> Path:
    """Where decisions about a store's titles are written."""
    return alias_files(store_path)[-1]


def confirm_alias(store: str | Path, title: str, year: int | None, film_id: str) -> None:
    """Note that a person decided which film a title means, as written, with this year (null: without one).

    It holds in SQL at once, for an `Oracle` from its next opening.

    Raises:
        UserError: no store there, a film that it does not have or of years more than two apart, or a title or year that is
            none; nothing is noted then.
    """
    with open_store(store) as connection:
        years = connection.execute(
            "select year from title_index where imdb_id = $id order by title_no", {"id": film_id}
        ).fetchall()
        [(most,)] = connection.sql("select year_limits().let_pass").fetchall()
    if not years:
        nouns = read_nouns(store)
        raise UserError(
            f"cannot note what {title!r} means: {store} has no {nouns.one} {film_id!r}; expected the id of one that it has"
        )
    first = years[0][0]
    if isinstance(year, int) and first is not None and abs(first - year) > most:
        raise UserError(
            f"cannot note that {title!r} ({year}) means {film_id!r}: its year is {first}, "
            f"and {most} years apart are let pass at most"
        )
    append_alias(store, title, year, film_id, "confirm")


def append_alias(
    store_path: str | Path,
    title: str,
    year: int | None,
    imdb_id: str | None,
    action: Literal["confirm", "reject", "undo"],
) -> None:
    """Note a decision about a title as written; it is on disk when this returns.

    Args:
        imdb_id: the film that the title means (confirm) or does not mean (reject; null: it means no known film). Where it would
            be taken for a film that it does not mean, nothing is found.
        action: undo takes back the latest decision about this title and year, so that the one before holds again.

    Raises:
        UserError: a decision that makes no sense, or a file that cannot be written; nothing is noted then.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    decision = {"title": title, "year": year, "imdb_id": imdb_id, "action": action, "at": at}
    if complaint := _complaint(decision):
        raise UserError(f"cannot note what {title!r} means: {complaint}")
    path = aliases_path(store_path)
    line = (json.dumps(decision, ensure_ascii=False) + "\n").encode()
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            # Without a lock: one write of a line is whole, and an empty line is no decision.
            size = os.fstat(handle).st_size
            os.lseek(handle, max(0, size - 1), os.SEEK_SET)
            torn = size > 0 and os.read(handle, 1) != b"\n"  # by a process that was killed
            _write(handle, path, b"\n" * torn + line)
        finally:
            os.close(handle)
    except OSError as error:
        do = "free some space" if error.errno in _FULL else "choose a folder that can be written"
        raise UserError(f"cannot write {path}: {error.strerror or error}; {do}") from None


def _write(handle: int, path: Path, octets: bytes) -> None:
    """Append, and have it on disk; raises `OSError` where that fails, and takes back what was written."""
    written = os.write(handle, octets)
    end = os.lseek(handle, 0, os.SEEK_CUR)
    try:
        if written < len(octets):  # on a full disk no error says so
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(handle)
    except OSError:
        # Line ends take its place: to cut it off could cut off what another process has appended meanwhile.
        with suppress(OSError), open(path, "r+b") as file:
            file.seek(end - written)
            file.write(b"\n" * written)
        raise


def current_decisions(store_path: str | Path) -> tuple[pa.Table, int]:
    """(decisions that hold, lines that are none and were left out). One row a title and year, later ones below: `DECISIONS`."""
    lines = [line for path in alias_files(store_path) for line in _lines(path)]
    held: dict[tuple, list[tuple[int, dict]]] = {}
    ignored = 0
    for place, line in enumerate(lines):
        decision = _parse(line)
        if decision is None:
            ignored += bool(line.strip())
            continue
        history = held.setdefault((decision["title"], decision["year"]), [])
        if decision["action"] != "undo":
            history.append((place, decision))
        elif history:
            history.pop()
    if ignored:
        _log.warning(
            "%s: left out %d lines that are no decisions about titles", one_line(aliases_path(store_path)), ignored
        )
    # In the order in which they were made: of two titles of one key the later decision holds.
    holding = sorted((history[-1] for history in held.values() if history), key=lambda placed: placed[0])
    return pa.Table.from_pylist([decision for _, decision in holding], schema=DECISIONS), ignored


def _lines(path: Path) -> list[bytes]:
    try:
        if not is_there(path):
            return []
        check_readable(path)
        return path.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _parse(line: bytes) -> dict | None:
    try:  # behind the mark with which some editors begin a file
        pairs = json.loads(line.decode().removeprefix("\ufeff"), object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        return None
    decision = dict(pairs)
    if sorted(name for name, _ in pairs) != sorted(DECISIONS.names) or _complaint(decision):
        return None
    return decision


def _complaint(decision: dict) -> str | None:
    """What is wrong with a decision, if anything."""
    title, year, imdb_id, action = (decision[name] for name in ("title", "year", "imdb_id", "action"))
    if not isinstance(title, str) or not title.strip() or len(title) > MAX_TITLE or not _is_text(title):
        return f"expected a title of 1 to {MAX_TITLE} characters"
    if year is not None and not (type(year) is int and 1800 <= year <= 2200):
        return f"the year {year!r} is none; expected 1800 to 2200 or null"
    if action not in ACTIONS:
        return f"the action {action!r} is none of {', '.join(ACTIONS)}"
    if imdb_id is None and action == "confirm":
        return "a confirmed title needs an imdb_id"
    if imdb_id is not None and not (
        isinstance(imdb_id, str) and 0 < len(imdb_id) <= MAX_ID and imdb_id == imdb_id.strip() and _is_text(imdb_id)
    ):
        return f"{imdb_id!r} is no id; expected one as the store has it, such as tt0387564"
    if not isinstance(decision["at"], str) or not _is_text(decision["at"]):
        return "expected the time as text"
    return None


def _is_text(text: str) -> bool:
    """Whether it can be stored as UTF-8 (a lone surrogate can't) and has no NUL."""
    with suppress(UnicodeEncodeError):
        return b"\0" not in text.encode()
    return False
