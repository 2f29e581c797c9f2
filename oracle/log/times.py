"""When steps were written: the times of their folders tell, as nobody changes what is in them. A copy of a log may have others."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from oracle.log.folders import MERGED, MERGED_1, SINGLE, SINGLE_1


def last_step_at(folder: Path) -> float | None:
    """When a run wrote its newest step, in seconds since 1970; null: it has none, or is gone.

    Asked at each draw of a page, so no manifest is read: a folder that counts no more held steps that were written too.
    """
    with suppress(OSError):
        kinds = (SINGLE, MERGED, SINGLE_1, MERGED_1)
        newest = _newest_ns(folder / name for name in os.listdir(folder) if any(k.fullmatch(name) for k in kinds))
        return newest and newest / 1e9
    return None


def keep_time(merged: Path, sources: Iterable[Path]) -> None:
    """Give a merged folder the time of the newest of those that it is made from."""
    with suppress(OSError):  # some file systems set no times, and a merge is worth more
        if newest := _newest_ns(sources):
            os.utime(merged, ns=(newest, newest))


def _newest_ns(folders: Iterable[Path]) -> int | None:
    times = []
    for folder in folders:
        with suppress(FileNotFoundError):  # removed since it was listed
            times.append(os.stat(folder).st_mtime_ns)
    return max(times, default=None)
