"""Upkeep of the run log: merge the many small folders of a run into one, export a run, delete a run.

Merging is safe for readers and against being killed at any moment, by time rather than by locks: the merged folder's
name says from which second on it counts. It is put there before that second, and the single steps that it covers are
removed some seconds after, so a query finds either the ones or the other, whichever its now() calls for. What a killed
merge leaves behind is finished, or removed, by the next one.
"""

import math
import os
import re
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oracle.base.errors import UserError
from oracle.log.folders import (
    FOREVER,
    Merged,
    lock_run,
    loose_steps,
    merged_steps,
    remove_folder,
    remove_superseded,
    run_folder,
    sync_folder,
    tidy,
    told_plainly,
)
from oracle.log.views import GRACE_S, create_base, open_log


@dataclass(frozen=True)
class Compacted:
    """What `compact` did: steps put into a merged folder, and folders removed that no longer count."""

    run_id: str
    steps_merged: int
    folders_removed: int


def compact(log_root: str | Path, run_id: str, *, grace_s: float = GRACE_S, wait: bool = True) -> Compacted:
    """Merge a run's finished single steps into one folder, with the sums that views start from.

    Args:
        grace_s: see `GRACE_S`.
        wait: stay until the single folders are removed (twice the grace); else the next call removes them.

    Raises:
        UserError: no such run, another process is writing it, or no space (the log is then as it was).
    """
    folder = run_folder(log_root, run_id)
    with lock_run(folder), told_plainly(f"cannot merge the steps of run {run_id}"):
        tidy(folder)
        removed = remove_superseded(folder, grace_s)
        merged = merge_steps(folder, grace_s)
        if wait:
            changes = [m.since if m.until == FOREVER else m.until for m in merged_steps(folder)]
            time.sleep(max(0.0, max(changes, default=0) + grace_s + 0.01 - time.time()))
            removed += remove_superseded(folder, grace_s)
    return Compacted(run_id, merged, removed)


def merge_steps(folder: Path, grace_s: float) -> int:
    """Merge the single steps of a run that the caller holds; how many that were.

    The single folders stay until `remove_superseded` finds that nobody can be reading them any more.
    """
    steps = loose_steps(folder)
    if len(steps) < 2:
        return 0
    _merge(folder, steps, grace_s)
    return len(steps)


def export_run(log_root: str | Path, run_id: str, target: str | Path, *, overwrite: bool = False) -> int:
    """Write a run's verdicts, each with its completion beside it, as one Parquet file. Returns the number of rows.

    Raises:
        UserError: no such run, a target that exists, or one that can't be written.
    """
    run_folder(log_root, run_id)
    target = Path(target).absolute()
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists: choose another name, or say --overwrite")
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    with open_log(log_root) as connection:
        rows = connection.sql("from log_export(?)", params=[run_id])
        try:
            rows.write_parquet(str(temporary), compression="zstd")
            os.replace(temporary, target)
        except (duckdb.IOException, OSError) as error:
            raise UserError(f"cannot write {target}: {_reason(error)}") from None
        finally:
            temporary.unlink(missing_ok=True)
        return connection.read_parquet(str(target)).aggregate("count(*)").fetchall()[0][0]


def delete_run(log_root: str | Path, run_id: str) -> None:
    """Remove a run and all its steps: from the log at once, then from the disk.

    Raises:
        UserError: no such run, or another process is writing it.
    """
    folder = run_folder(log_root, run_id)
    with lock_run(folder), told_plainly(f"cannot delete run {run_id}"):
        remove_folder(folder)


def _merge(folder: Path, steps: list[int], grace_s: float) -> None:
    temporary = folder / f".tmp-merge-{uuid.uuid4().hex}"
    try:
        temporary.mkdir()
        _write_merged(folder, steps, temporary)
        since = math.ceil(time.time() + grace_s)
        os.rename(temporary, Merged(temporary, steps[0], steps[-1], since, FOREVER).named())
        sync_folder(folder)
    except duckdb.IOException as error:
        raise UserError(f"cannot merge the steps of run {folder.name}: {_reason(error)}; free some space") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_merged(folder: Path, steps: list[int], target: Path) -> None:
    with duckdb.connect() as connection:
        create_base(connection, folder.parent)
        connection.execute("set threads = 1")  # training goes on beside this
        connection.execute("set variable log_runs = ?", [folder.name])
        for name in ("completions", "verdicts"):
            files = [str(folder / f"step-{step:08d}" / f"{name}.parquet") for step in steps]
            # In the order of the files, which are sorted: no sort, and little memory.
            _copy(connection.read_parquet(files), target / f"{name}.parquet")
        for name in ("rank_sums", "trait_sums"):
            sums = f"from loose_{name} where step between ? and ? order by all"
            _copy(connection.sql(sums, params=[steps[0], steps[-1]]), target / f"{name}.parquet")


def _copy(rows: duckdb.DuckDBPyRelation, target: Path) -> None:
    rows.write_parquet(str(target), compression="zstd", row_group_size=122_880)
    with open(target, "rb") as file:
        os.fsync(file.fileno())


def _reason(error: Exception) -> str:
    """What the system said, where DuckDB hands on its number."""
    number = re.search(r'"errno":"(\d+)"', str(error))
    return os.strerror(int(number[1])) if number else str(error).splitlines()[0]
