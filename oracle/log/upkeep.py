"""Taking away what no longer counts, and what a killed process left behind."""

import errno
import logging
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from oracle.base.printable import one_line
from oracle.log.folders import (
    ENDED_1,
    MANIFEST_NAME,
    MERGED,
    MERGED_1,
    SINGLE,
    SINGLE_1,
    counted,
    manifest_path,
    named_steps,
)
from oracle.log.removal import DELETED, remove_files, remove_folder, remove_rest
from oracle.log.sound import is_broken, is_readable

_log = logging.getLogger(__name__)

DAY_S = 86_400
_first_seen: dict[Path, float] = {}  # what no longer counts -> when this process first saw that (monotonic clock)
_told: set[str] = set()


def tidy(folder: Path) -> None:
    """Drop what a killed process left in a run that the caller holds: half written, half removed, or not announced.

    Raises `OSError` for a finished step whose manifest is gone. What a killed process left without one are merged folders of
    steps that count, and one single step, in place of one that counts.
    """
    now = counted(folder)
    early = sorted(path for path in folder.iterdir() if _named_epoch(path) > now.epoch)  # would count one day
    single = [path for path in early if SINGLE.fullmatch(path.name)]
    there = set(now.steps())
    if lost := [path for path in early if not named_steps(path.name) <= there] or single[1:]:
        told = f"{lost[0]} was finished under a manifest that is gone: bring that back, or move the steps away"
        raise OSError(errno.EINVAL, told, str(lost[0]))
    for path in early:
        _drop(path)
    _tell(remove_files(path) for path in (*folder.glob(".tmp-*"), *folder.glob(".*.tmp"), *folder.glob(".gone-*")))


def _named_epoch(path: Path) -> int:
    """That in the name of a folder of steps; -1: it has none."""
    if m := SINGLE.fullmatch(path.name):
        return int(m[2])
    return int(m[3]) if (m := MERGED.fullmatch(path.name)) else -1


def _drop(path: Path) -> None:
    """Remove a folder with all that is in it, a file, or a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _tell(remaining: Iterable[str | None]) -> None:
    """Warn, once, of files that can't be removed: another user's, or on NFS what somebody still reads. The next one tries again."""
    new = [path for path in remaining if path and path not in _told]
    _told.update(new)
    if new:
        more = f" and {len(new) - 1} more beside it" if len(new) > 1 else ""
        _log.warning(
            "these files of the log count no more, and can't be removed now: %s; remove them as the user who owns them",
            one_line(new[0] + more),
        )


def tidy_log(log_root: Path) -> None:
    """Drop what a killed process left among the runs: a deleted one half removed, and since a day a new one half written."""
    due = list(log_root.glob(".gone-*"))
    for path in log_root.glob(".tmp-*"):
        with suppress(OSError):
            if time.time() - max(p.stat().st_mtime for p in (path, *path.iterdir())) > DAY_S:
                due.append(path)
    remaining = [remove_files(path) for path in due]
    for folder in (mark.parent for mark in log_root.glob(f"[0-9]*/{DELETED}")):
        with suppress(OSError):
            if not folder.is_symlink() and not (folder / "run.parquet").exists():  # which somebody has brought back
                remaining.append(remove_rest(folder))
    _tell(remaining)


def remove_superseded(folder: Path, grace_s: float) -> int:
    """Remove what has not counted for `grace_s` seconds, as far as this process saw; how many folders that were.

    The seconds spare those who began to read before an error, "no such file". Nobody reads a wrong figure without them:
    manifests go first, so a reader that still gets to read one had listed all the folders that it speaks of.
    """
    try:
        due = _due(folder, grace_s)
    except OSError:  # what is to count does already; the next one tries again
        return 0
    remaining: list[str | None] = []
    for path in due:
        with suppress(OSError):  # the next one tries again
            if path.suffix == ".parquet":
                path.unlink()
            else:
                remaining.append(remove_folder(path))
            del _first_seen[path]
    _tell(remaining)
    return remaining.count(None)


def _due(folder: Path, grace_s: float) -> list[Path]:
    now = time.monotonic()
    return [path for path in no_longer_counted(folder) if now - _first_seen.setdefault(path, now) >= grace_s]


def no_longer_counted(folder: Path) -> list[Path]:
    """Manifests and folders of steps of a run that count no more, and are still there; none while what has taken their place can't
    be read: from them it could be had back. (What is of a later epoch is for `tidy`.)"""
    found = counted(folder)
    counts = {s.path for s in (*found.merged, *found.single)} | {manifest_path(folder, found.epoch)}
    ours = (MANIFEST_NAME, SINGLE, MERGED, SINGLE_1, MERGED_1, ENDED_1)
    earlier = sorted(path for path in folder.iterdir() if path not in counts and _named_epoch(path) <= found.epoch)
    out = [path for path in earlier if any(p.fullmatch(path.name) for p in ours)]
    return [] if out and any(is_broken(s.path) or not is_readable(s) for s in found.merged) else out
