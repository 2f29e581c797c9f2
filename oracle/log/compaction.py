"""Upkeep of the run log: merge the many small folders of a run into one, export a run, delete a run.

A merge is one new folder and then one new manifest (see `folders`), so it is safe for readers and against being killed at
any moment. What it replaced stays for some seconds, for those who began to read before.

It must be so because readers take no lock: at every moment they must find each step exactly once. Example, steps 1 to 3 of a run:

    step-1/ step-2/ step-3/                  no manifest: the single steps count
    … and steps-1-3/, half written           still: a merged folder counts only where a manifest names it
    … and manifest 1 names steps-1-3/        from this one move on the merged folder counts, and the single ones no more
    steps-1-3/, manifest 1                   after GRACE_S seconds the single ones are removed

Killed before the manifest, the half-written folder is tidied up by the next merge; killed after it, only the removal is left.
"""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from oracle.base.database import connect, pattern_of
from oracle.base.errors import UserError, first_line
from oracle.base.files import check_writable, written_whole
from oracle.base.parquet import write_parquet
from oracle.log.empty import MERGED_SCHEMAS, SINGLE_SCHEMAS, ensure_schema
from oracle.log.folders import (
    FORMAT,
    Counted,
    Steps,
    announce,
    counted,
    left_out,
    lock_run,
    merged_path,
    new_folder,
    run_folder,
    told_plainly,
)
from oracle.log.macros import create_base, create_rows
from oracle.log.reading import GRACE_S, batches_of, of_one_state, without_what_is_broken, wrong_with
from oracle.log.removal import remove_run
from oracle.log.sound import check_run, has_its_columns, is_broken, is_readable
from oracle.log.state import SEARCH_S, look_closer
from oracle.log.tables import write_rows
from oracle.log.times import keep_time
from oracle.log.upkeep import no_longer_counted, remove_superseded, tidy, tidy_log
from oracle.log.views import open_log

MOST_AT_ONCE = 1000  # folders that a merge opens, as memory and time grow faster than their number
BATCH = 2048  # rows that are in memory at once: as few as DuckDB hands out, as a text may be of a megabyte
_FILES = "read_parquet($files, hive_partitioning = false, union_by_name = true)"


@dataclass(frozen=True)
class Compacted:
    """What `compact` did: steps put into a merged folder, and folders removed that no longer count."""

    run_id: str
    steps_merged: int
    folders_removed: int
    left: int
    """Folders and manifests that count no more, and are still there."""


def compact(log_root: str | Path, run_id: str, *, grace_s: float = GRACE_S, wait: bool = True) -> Compacted:
    """Merge a run's finished single steps into one folder, with the sums that views start from.

    Args:
        grace_s: see `GRACE_S`.
        wait: stay until the single folders are removed; else the next call removes them.

    Raises:
        UserError: no such run, another process is writing it, or no space (the log is then as it was).
    """
    tidy_log(Path(log_root))
    folder = run_folder(log_root, run_id)
    check_run(folder)
    ensure_schema(folder.parent)
    lock = lock_run(folder)
    try:
        with told_plainly(f"cannot merge the steps of run {run_id}"):
            tidy(folder)
            merged = merge_steps(folder)
            if not merged and no_longer_counted(folder):
                # Of an earlier call: is what it wrote still there, each value of it?
                look_closer(folder.parent, [folder.name], SEARCH_S)
            removed = remove_superseded(folder, grace_s)
            if wait and no_longer_counted(folder):
                time.sleep(grace_s)
                removed += remove_superseded(folder, grace_s)
            left = len(no_longer_counted(folder))
    finally:
        lock.release()
    return Compacted(run_id, merged, removed, left)


def merge_steps(folder: Path) -> int:
    """Merge the single steps of a run that the caller holds; how many that were."""
    now = counted(folder)
    if len(now.single) < 2:
        return 0
    begin_epoch(folder, now, keep=now.merged, rewrite=now.single)
    return len(now.single)


def drop_after(folder: Path, step: int) -> None:
    """Have the steps after `step` count no more, in a run that the caller holds; nor those that are away, and may be brought back.

    Raises `UserError` as `check_up_to` does; everything is as it was.
    """
    now, keep, shorter = check_up_to(folder, step)
    begin_epoch(folder, now, keep=keep, rewrite=shorter)


def check_up_to(folder: Path, step: int) -> tuple[Counted, list[Steps], list[Steps]]:
    """What counts in a run; of its steps up to `step` the merged folders that have no others, and what is to be put together anew.

    Raises `UserError` for steps up to `step` that are there and can't be read, or are to be cut out of what is gone.
    """
    now = counted(folder)
    keep = [s for s in now.merged if s.steps[-1:] <= (step,)]
    cut = [_up_to(s, step) for s in (*now.merged, *now.single) if s not in keep]
    shorter = [s for s in cut if s.steps]
    if broken := _broken([*(s for s in keep if os.path.lexists(s.path)), *shorter]):
        raise UserError(
            f"cannot go on with run {folder.name}: {broken[0]} can't be read; bring it back, or move it away"
        )
    return now, keep, shorter


def _broken(steps: list[Steps]) -> list[Path]:
    return [s.path for s in steps if is_broken(s.path) or not (is_readable(s) and has_its_columns(s))]


def _up_to(steps: Steps, last: int) -> Steps:
    return steps._replace(steps=tuple(s for s in steps.steps if s <= last))


def begin_epoch(
    folder: Path, now: Counted, keep: list[Steps], rewrite: list[Steps], put: Callable[[], None] = lambda: None
) -> None:
    """Have the merged folders `keep` count, and the steps of `rewrite`, put into as few folders as can be; and nothing else but
    the single steps of the next epoch that `put` puts in place.

    Raises:
        UserError: no space, or steps that can't be read; everything is as it was.
    """
    _refuse_broken(folder, rewrite)
    tidy(folder)  # what is in place under the names of the next epoch would count with it
    epoch = now.epoch + 1
    parts = [rewrite[first : first + MOST_AT_ONCE] for first in range(0, len(rewrite), MOST_AT_ONCE)]
    try:
        put()
        announce(folder, epoch, [*keep, *(_merged(folder, part, epoch) for part in parts)])
    except BaseException as error:
        tidy(folder)  # what is in place under the names of this epoch would be in the way of the next attempt
        if isinstance(error, duckdb.IOException):
            raise UserError(f"cannot merge the steps of run {folder.name}: {_reason(error)}; free some space") from None
        if isinstance(error, duckdb.Error):  # of what ends as Parquet does, and isn't any
            look_closer(folder.parent, [folder.name], SEARCH_S)
            _refuse_broken(folder, rewrite)
            raise UserError(f"cannot merge the steps of run {folder.name}: {first_line(error)}") from None
        raise


def _refuse_broken(folder: Path, steps: list[Steps]) -> None:
    if broken := _broken(steps):
        raise UserError(
            f"cannot merge the steps of run {folder.name}: {broken[0]} can't be read; bring it back, or move it away"
        )


def _merged(folder: Path, sources: list[Steps], epoch: int) -> Steps:
    """Put steps into one folder, which counts where a manifest names it."""
    steps = sorted(step for s in sources for step in s.steps)
    target = merged_path(folder, steps, epoch)
    with new_folder(target) as temporary:
        _write_merged(folder, sources, steps, temporary)
        keep_time(temporary, (s.path for s in sources))
    return Steps(target, tuple(steps), merged=True, format=FORMAT)


def export_run(log_root: str | Path, run_id: str, target: str | Path, *, overwrite: bool = False) -> int:
    """Write a run's verdicts, each with its completion beside it, as one .parquet or .csv file.

    Returns the number of rows. Steps that can't be read are left out; `open_log` tells of them.

    Raises:
        UserError: no such run, a target of another kind or that exists, or one that can't be written.
    """
    run_folder(log_root, run_id)
    target = Path(target).absolute()
    if target.suffix not in (".parquet", ".csv"):
        raise UserError(f"cannot write {target}: expected a name that ends in .csv or .parquet")
    check_writable(target, overwrite=overwrite)
    with open_log(log_root) as connection, written_whole(target, overwrite=overwrite) as part:

        def write(_: float | None) -> int:
            rows = connection.sql("from log_export(?)", params=[run_id]).to_arrow_reader(BATCH)
            return write_rows(batches_of(rows), rows.schema, part, target.suffix)

        try:
            rows = without_what_is_broken(connection, lambda left_s: of_one_state(connection, write, left_s))
        except (duckdb.Error, RuntimeError) as error:
            raise UserError(f"cannot export run {run_id}: {first_line(error)}") from None
        if wrong := wrong_with(connection, run_id):  # it was found to be so meanwhile
            raise left_out(run_id, wrong)
        run_folder(log_root, run_id)  # deleted meanwhile, it would be one without rows
        return rows


def delete_run(log_root: str | Path, run_id: str) -> None:
    """Remove a run and all its steps: from the log at once, then from the disk.

    Raises:
        UserError: no such run, another process is writing it, or it can't be removed; and where it is no longer in the log,
            but some of its files can't be removed.
    """
    tidy_log(Path(log_root))  # of an earlier one that was killed too: its run is in no list any more
    folder = run_folder(log_root, run_id)
    remove_run(folder, lock_run(folder))


def _write_merged(folder: Path, sources: list[Steps], steps: list[int], target: Path) -> None:
    schema = folder.parent / "_schema" / MERGED_SCHEMAS[0]
    with connect(threads=1) as connection:  # training goes on beside this
        connection.execute("set arrow_large_buffer_size = true")  # else 2 GB of text are too much for a batch
        create_base(connection, folder.parent)
        create_rows(connection)
        _look_only_at(connection, folder, [s for s in sources if not s.merged])
        for name in ("completions", "verdicts"):
            # In the order of the files, which are sorted: no sort, and little memory.
            files = [pattern_of(path / f"{name}.parquet") for path in (schema, *(s.path for s in sources))]
            given: dict = {"files": files, "steps": steps}
            rows = connection.sql(f"from {_FILES} where list_contains($steps::integer[], step)", params=given)
            _copy(rows, schema / f"{name}.parquet", target / f"{name}.parquet")
        single = [str(s.path) for s in sources if not s.merged]
        for name in ("rank_sums", "trait_sums"):
            files = [pattern_of(path / f"{name}.parquet") for path in (schema, *(s.path for s in sources if s.merged))]
            sums = (
                f"from (from single_{name}($single::varchar[]) where run_id = $run union all by name "
                f"from {_FILES}) where list_contains($steps::integer[], step) order by all"
            )
            given = {"single": single, "run": folder.name, "files": files, "steps": steps}
            _copy(connection.sql(sums, params=given), schema / f"{name}.parquet", target / f"{name}.parquet")


def _look_only_at(connection: duckdb.DuckDBPyConnection, folder: Path, single: list[Steps]) -> None:
    """Have the tables that sums are built on open the settings of this run and these steps, whatever else the log holds."""
    schema = folder.parent / "_schema"
    older = [schema / SINGLE_SCHEMAS[-1], *(s.path for s in single if s.format < FORMAT)]
    files = {
        "run": [schema / "run.parquet", folder / "run.parquet"],
        "single": [s.path for s in single if s.format == FORMAT],
        "older_single": older,
    }
    for kind, paths in files.items():
        connection.execute(f"set variable log_{kind}_files = ?::varchar[]", [list(map(pattern_of, paths))])


def _copy(rows: duckdb.DuckDBPyRelation, schema: Path, target: Path) -> None:
    """Write rows with the columns of `schema`, a file without rows. Not by DuckDB, which passes over a fault at a file's end."""
    write_parquet(batches_of(rows.to_arrow_reader(BATCH)), pq.read_schema(schema), target)


def _reason(error: Exception) -> str:
    """What the system said, where DuckDB hands on its number."""
    number = re.search(r'"errno":"(\d+)"', str(error))
    return os.strerror(int(number[1])) if number else first_line(error)
