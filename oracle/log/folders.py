"""The folders of a run: put there whole, taken away whole, changed by one process at a time.

Names: `step-00000012` holds one step; `steps-<first>-<last>-<from>-<until>` holds merged steps, and counts from one
second (Unix time) to another. `.tmp-*` is being written, `.old-*` being replaced, `.gone-*` being removed.
"""

import ctypes
import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from oracle.base.errors import UserError

FOREVER = 9_999_999_999
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
_STEP = re.compile(r"step-(\d{8})")
_MERGED = re.compile(r"steps-(\d{8})-(\d{8})-(\d{10})-(\d{10})")


class Merged(NamedTuple):
    """A folder of merged steps."""

    path: Path
    first: int
    last: int
    since: int
    until: int

    def named(self) -> Path:
        """The path that says so."""
        name = f"steps-{self.first:08d}-{self.last:08d}-{self.since:010d}-{self.until:010d}"
        return self.path.with_name(name)


def single_steps(folder: Path) -> dict[int, Path]:
    """Step -> folder of the steps that stand alone, in order."""
    return {int(m[1]): f for f in sorted(folder.iterdir()) if (m := _STEP.fullmatch(f.name))}


def merged_steps(folder: Path) -> list[Merged]:
    """The merged folders of a run, in order; those that don't count yet, or no more, too."""
    named = [(f, _MERGED.fullmatch(f.name)) for f in sorted(folder.iterdir())]
    return [Merged(f, *(int(part) for part in m.groups())) for f, m in named if m]


def loose_steps(folder: Path) -> list[int]:
    """The steps that stand alone and in no merged folder, in order."""
    spans = merged_steps(folder)
    return [step for step in single_steps(folder) if not any(m.first <= step <= m.last for m in spans)]


def run_folder(log_root: str | Path, run_id: str) -> Path:
    """The folder of a run. Raises `UserError` for a run that isn't there."""
    folder = Path(log_root).absolute() / run_id
    if not re.fullmatch(r"[0-9][\w.-]*", run_id) or not (folder / "run.parquet").is_file():
        runs = sorted((p.parent.name for p in Path(log_root).glob("[0-9]*/run.parquet")), reverse=True)
        raise UserError(f"no run {run_id!r} in {log_root}: it has {', '.join(runs[:5]) or 'none'}")
    return folder


def lock_run(folder: Path) -> IO:
    """Hold a run for changing it; readers don't care. Released by close(), and by the process' end, however it ends.

    Raises:
        UserError: another process holds it, or the folder can't be written.
    """
    with told_plainly(f"cannot write to run {folder.name}"):
        lock = open(folder / ".lock", "w")  # noqa: SIM115 - kept open for as long as the run is held
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise UserError(f"run {folder.name} is being written by another process: try again when that is done") from None
    except OSError:
        pass  # a shared folder without locks: one writer a run is then for people to see to
    return lock


def write_folder(target: Path, tables: dict[str, pa.Table]) -> None:
    """Write tables as `target`/<name>.parquet: on disk before they are there under that name. Replaces `target`."""
    temporary = target.with_name(f".tmp-{target.name}-{uuid.uuid4().hex[:8]}")
    try:
        temporary.mkdir()
        for name, table in tables.items():
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd", compression_level=1)
            with open(temporary / f"{name}.parquet", "wb") as file:
                file.write(sink.getvalue())
                file.flush()
                os.fsync(file.fileno())
        sync_folder(temporary)
        if target.exists():
            _replace(target, temporary)
        else:
            os.rename(temporary, target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _replace(target: Path, new: Path) -> None:
    """Put `new` in the place of `target`: in one move where two folders can be swapped, else in two."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None)
    if swap and swap(_HERE, os.fsencode(new), _HERE, os.fsencode(target), _EXCHANGE) == 0:
        shutil.rmtree(new)
        return
    old = target.with_name(f".old-{target.name}")  # `tidy` moves it back if we are killed now
    os.rename(target, old)
    os.rename(new, target)
    shutil.rmtree(old)


def remove_folder(folder: Path) -> None:
    """Remove a folder: at once for those who list it, then its files."""
    gone = folder.with_name(f".gone-{uuid.uuid4().hex}")
    os.rename(folder, gone)
    shutil.rmtree(gone)


def tidy(folder: Path) -> None:
    """Put right what a killed process left in a run: drop what is half written, put back what wasn't replaced yet."""
    for leftover in folder.glob(".old-*"):
        original = folder / leftover.name.removeprefix(".old-")
        if original.exists():
            shutil.rmtree(leftover)
        else:
            os.rename(leftover, original)
    for leftover in (*folder.glob(".tmp-*"), *folder.glob(".gone-*")):
        shutil.rmtree(leftover)


def remove_superseded(folder: Path, grace_s: float) -> int:
    """Remove what has not counted for `grace_s` seconds: single steps that were merged, and merged folders that ended.

    Returns the number of folders removed.
    """
    before = time.time() - grace_s
    merged = merged_steps(folder)
    ended = [m.path for m in merged if m.until < before]
    covered = [
        path
        for step, path in single_steps(folder).items()
        if any(m.first <= step <= m.last and m.since < before and m.until == FOREVER for m in merged)
    ]
    for path in (*covered, *ended):
        remove_folder(path)
    return len(covered) + len(ended)


def sync_folder(folder: Path) -> None:
    """Have the folder's entries on disk."""
    with suppress(OSError):  # some shared folders can't
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def told_plainly(what: str) -> Iterator[None]:
    """Turn an error of the disk into one line: `what`, why, what to do."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{what}: {error.strerror or error}; free some space or choose another folder") from None
