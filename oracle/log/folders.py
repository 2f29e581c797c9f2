"""The folders of a run: put there whole, changed by one process at a time.

`step-<step>-e<epoch>-f<format>` holds one step, `steps-<first>-<last>-e<epoch>-f<format>` merged ones. What counts is written
down: `manifest-<epoch>.parquet` lists the merged folders that count, and besides these count the single steps of its own
epoch, the newest one. So a step counts as soon as it is there; anything else (a merge, going back to a checkpoint, a step
that is written again) puts the folders of the next epoch in place, and then the manifest, in one move. No clock has a say in it.
docs/log-format.md draws it; the view `log_counted` says the same in SQL. `.tmp-*` is being written, `.gone-*` removed.
"""

import errno
import os
import re
import shutil
import stat
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from oracle.base.advice import is_shortage
from oracle.base.errors import UserError
from oracle.base.files import absolute, hold, sync, written_whole
from oracle.base.parquet import bounded, on_disk

FORMAT = 2
"""Of what is written. Raise it when a column is added or means something else; tests/oracle/log/test_formats.py reminds.
An older format stays readable: sql/log/files.sql has a pattern for its folders, `views.ensure_schema` an empty one."""

MANIFEST = pa.schema([("folder", pa.string()), ("steps", pa.list_(pa.int32()))])
"""A row for each merged folder, with the steps in it; and one row of nulls, so that no manifest is without rows."""

_NOTHING = pa.Table.from_pylist([{"folder": None, "steps": None}], schema=MANIFEST)
MANIFEST_0 = {"manifest-00000000": _NOTHING}

ATTEMPTS = 6
MOST_FOLDERS = 100_000  # that a manifest lists
MOST_STEPS = 10_000_000  # of all of these
MOST_BYTES = 20_000_000  # of its names and steps, as Parquet writes them

# As the patterns of the views have them: digits are 0 to 9, and format 1 had other names.
MANIFEST_NAME = re.compile(r"manifest-(\d{8})\.parquet", re.ASCII)
SINGLE = re.compile(r"step-(\d{8})-e(\d{8})-f([2-9])", re.ASCII)
MERGED = re.compile(r"steps-(\d{8})-(\d{8})-e(\d{8})-f([2-9])", re.ASCII)
# Format 1 had no manifest: a merged folder counted from one second to another, and single steps where none spans them.
SINGLE_1 = re.compile(r"step-(\d{8})", re.ASCII)
MERGED_1 = re.compile(r"steps-(\d{8})-(\d{8})-\d{10}-9{10}", re.ASCII)
ENDED_1 = re.compile(r"steps-\d{8}-\d{8}-\d{10}-\d{10}", re.ASCII)


class Steps(NamedTuple):
    """A folder that counts, and the steps in it, in order."""

    path: Path
    steps: tuple[int, ...]
    merged: bool
    format: int


class Counted(NamedTuple):
    """What counts in a run."""

    epoch: int
    merged: list[Steps]
    single: list[Steps]

    def steps(self) -> list[int]:
        return sorted(step for s in (*self.merged, *self.single) for step in s.steps)


def counted(folder: Path) -> Counted:
    """What counts in a run now, in the order of its steps.

    Raises:
        OSError: a folder that can't be listed, or a manifest that is gone or can't be read.
    """
    for _ in range(ATTEMPTS):
        with suppress(FileNotFoundError):  # what holds has changed since it was listed
            return _counted(folder, sorted(os.listdir(folder)))
    return _counted(folder, sorted(os.listdir(folder)))


class Listed(NamedTuple):
    """What the names in a run's folder tell."""

    epoch: int
    names: list[str]
    """Its settings, its loss and its newest manifest, the folders of single steps of that epoch, and all of merged ones."""


def listed(log_root: Path, but: Collection[str] = ()) -> dict[str, Listed]:
    """What the names in each run's folder tell now, without a look into any file; of all runs but these.

    Raises `OSError` for a folder that can't be listed.
    """
    runs = {run: _listed_run(log_root / run) for run in _runs_in(log_root, but)}
    return {run: its for run, its in runs.items() if its}


def epochs(log_root: Path, but: Collection[str] = ()) -> dict[str, int]:
    """The epoch of each run, as `listed` has it and by one list each."""
    found = {run: _epoch_of(_names_in(log_root / run)) for run in _runs_in(log_root, but)}
    return {run: epoch for run, epoch in found.items() if epoch is not None}


def _runs_in(log_root: Path, but: Collection[str]) -> list[str]:
    return [name for name in _names_in(log_root) if "0" <= name[0] <= "9" and name not in but]


def _epoch_of(names: list[str]) -> int | None:
    """That of the newest manifest in a folder; -1: of format 1, which had none; null: it is no run."""
    epoch = max((int(m[1]) for name in names if (m := MANIFEST_NAME.fullmatch(name))), default=-1)
    return epoch if epoch >= 0 or "run.parquet" in names else None


def _listed_run(folder: Path) -> Listed | None:
    """What the names in a folder tell now; null: it is no run.

    A list of a folder is of no one moment: of a merge meanwhile, the manifest may be in it, and the folder that was there before
    it is not. So each list tells one thing: the first, which manifest is the newest; the second, which has all that was there
    before that manifest, which step is the last; the third, which has all that was there before that step, the rest. What was
    removed meanwhile is in none, and its manifest is gone then too: reading fails.
    """
    epoch = _epoch_of(_names_in(folder))
    if epoch is None:
        return None
    last = max((step for step, _ in _single_of(epoch, _names_in(folder))), default=-1)
    names = _names_in(folder)
    manifest = [manifest_path(folder, epoch).name] if epoch >= 0 else []
    others = [name for name in names if name in ("run.parquet", "loss.parquet")]
    single = [name for step, name in _single_of(epoch, names) if step <= last]
    merged = [name for name in names if epoch >= 0 and MERGED.fullmatch(name)]
    return Listed(epoch, [*manifest, *others, *single, *merged])


def _single_of(epoch: int, names: list[str]) -> list[tuple[int, str]]:
    """The steps of an epoch, and the names of their folders."""
    return [(int(m[1]), name) for name in names if (m := SINGLE.fullmatch(name)) and int(m[2]) == epoch]


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):  # gone, no folder, or a link to itself
            raise
        return []


def superseded(folder: Path, now: Counted) -> list[Steps]:
    """The folders of a run that don't count; of merged ones not which steps they hold."""
    names = sorted(set(os.listdir(folder)) - {s.path.name for s in (*now.merged, *now.single)})
    is_merged = [name for name in names if MERGED.fullmatch(name) or MERGED_1.fullmatch(name)]
    merged = [Steps(folder / name, (), True, _format(name)) for name in is_merged]
    single = [Steps(folder / name, (int(m[1]),), False, int(m[3])) for name in names if (m := SINGLE.fullmatch(name))]
    older = [Steps(folder / name, (int(m[1]),), False, 1) for name in names if (m := SINGLE_1.fullmatch(name))]
    return [*merged, *single, *older]


def _counted(folder: Path, names: list[str]) -> Counted:
    epochs = [int(m[1]) for name in names if (m := MANIFEST_NAME.fullmatch(name))]
    if not epochs:
        earlier = _counted_1(folder, names)
        there = set(earlier.steps())  # a killed process that resumed it may have left a merged folder of some of these
        if any(SINGLE.fullmatch(name) or not named_steps(name) <= there for name in names):
            raise OSError(errno.EINVAL, f"{folder} has steps and no manifest: bring it back", str(folder))
        return earlier
    epoch = max(epochs)
    listed = _listed(manifest_path(folder, epoch))
    merged = [Steps(folder / name, steps, True, _format(name)) for name, steps in listed]
    matches = [(name, m) for name in names if (m := SINGLE.fullmatch(name)) and int(m[2]) == epoch]
    single = [Steps(folder / name, (int(m[1]),), False, int(m[3])) for name, m in matches]
    is_merged = {step for s in merged for step in s.steps}
    if twice := [s.path for s in single if s.steps[0] in is_merged]:
        raise OSError(errno.EINVAL, f"{twice[0]} is a step that is merged already: move it away", str(twice[0]))
    if later := [s.path for s in (*merged, *single) if s.format > FORMAT]:
        told = f"{later[0]} is of a later format, and this program knows 1 to {FORMAT}: update it"
        raise OSError(errno.EINVAL, told, str(later[0]))
    return Counted(epoch, sorted(merged, key=lambda s: s.steps), single)


def _listed(manifest: Path) -> list[tuple[str, tuple[int, ...]]]:
    """The folders that a manifest lists, each with its steps."""
    try:
        os.stat(manifest)
        if not is_parquet(manifest):
            raise ValueError
        with pq.ParquetFile(manifest) as parquet:
            if _is_swollen(parquet.metadata):
                raise ValueError
            rows = parquet.read().cast(MANIFEST).to_pylist()
        listed = [(row["folder"], tuple(row["steps"])) for row in rows if row["folder"] is not None]
        if len(rows) - len(listed) != 1:  # views count the single steps by the row of nulls
            raise ValueError
        every = [step for _, steps in listed for step in steps]
        if not all(MERGED.fullmatch(name) or MERGED_1.fullmatch(name) for name, _ in listed):
            raise ValueError
        if len({name for name, _ in listed}) < len(listed) or len(set(every)) < len(every) or min(every, default=0) < 0:
            raise ValueError  # a step counts once
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        if is_shortage(error):
            raise
        raise OSError(
            errno.EINVAL, f"{manifest} is no manifest of a run: bring it back, or move the run away", str(manifest)
        ) from None
    return listed


def _is_swollen(manifest: pq.FileMetaData) -> bool:
    """Whether it says more than any run has to: a small file can unpack to any size."""
    groups = [manifest.row_group(number) for number in range(manifest.num_row_groups)]
    values = sum(group.column(place).num_values for group in groups for place in range(group.num_columns))
    size = sum(group.total_byte_size for group in groups)
    return manifest.num_rows > MOST_FOLDERS or values > MOST_STEPS or size > MOST_BYTES


def is_parquet(path: Path) -> bool:
    """Whether a path is a regular file that can be read, and ends as Parquet does; raises `OSError` where that can't be told."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            file.seek(-8, os.SEEK_END)
            end = file.read()
            return end[4:] == b"PAR1" and 0 < int.from_bytes(end[:4], "little") < file.tell()
    except OSError as error:
        if is_shortage(error):
            raise
        return False


def _counted_1(folder: Path, names: list[str]) -> Counted:
    """The same for a run that only earlier versions have written."""
    spans = {name: range(int(m[1]), int(m[2]) + 1) for name in names if (m := MERGED_1.fullmatch(name))}
    merged = [Steps(folder / name, tuple(_steps_in(folder / name)), True, 1) for name in spans]
    alone = {name: int(m[1]) for name in names if (m := SINGLE_1.fullmatch(name))}
    single = [
        Steps(folder / name, (step,), False, 1)
        for name, step in alone.items()
        if not any(step in span for span in spans.values())
    ]
    return Counted(-1, merged, single)


def _steps_in(merged: Path) -> list[int]:
    try:
        sums = pq.ParquetFile(merged / "rank_sums.parquet").read(columns=["step"])
        return sorted({int(step) for step in sums["step"].to_pylist()})
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        if is_shortage(error) or not os.path.lexists(merged):  # removed since it was listed
            raise
        told = f"{merged} can't be read: bring it back, or move it away"
        raise OSError(errno.EINVAL, told, str(merged)) from None


def named_steps(name: str) -> set[int]:
    """The first and the last step in a folder, as its name tells; none: it is no folder of steps of this format."""
    if m := SINGLE.fullmatch(name):
        return {int(m[1])}
    return {int(m[1]), int(m[2])} if (m := MERGED.fullmatch(name)) else set()


def _format(name: str) -> int:
    return int(m[4]) if (m := MERGED.fullmatch(name)) else 1


def announce(folder: Path, epoch: int, merged: list[Steps]) -> None:
    """Have these merged folders count, and the single steps of `epoch`, and nothing else; in one move."""
    rows = [{"folder": s.path.name, "steps": list(s.steps)} for s in merged]
    with written_whole(manifest_path(folder, epoch)) as part:
        pq.write_table(pa.concat_tables([pa.Table.from_pylist(rows, schema=MANIFEST), _NOTHING]), part)
    sync(folder)


def manifest_path(folder: Path, epoch: int) -> Path:
    return folder / f"manifest-{epoch:08d}.parquet"


def single_path(folder: Path, step: int, epoch: int) -> Path:
    return folder / f"step-{step:08d}-e{epoch:08d}-f{FORMAT}"


def merged_path(folder: Path, steps: list[int], epoch: int) -> Path:
    return folder / f"steps-{steps[0]:08d}-{steps[-1]:08d}-e{epoch:08d}-f{FORMAT}"


def run_folder(log_root: str | Path, run_id: str) -> Path:
    """The folder of a run. Raises `UserError` for a run that isn't there."""
    folder = absolute(log_root) / run_id
    is_named = re.fullmatch(r"[0-9][\w.-]{0,99}", run_id)
    with told_plainly(f"cannot look for run {run_id[:100]} in {log_root}"):
        if is_named and (run := folder / "run.parquet").is_file():
            return folder
        names = {p.parent.name for p in Path(log_root).glob("[!._]*/run.parquet")}
        lacks_settings = is_named and (run_id in names or any(folder.glob("manifest-*.parquet")))
    if lacks_settings:
        raise left_out(run_id, run)
    if run_id in names:
        raise UserError(
            f"cannot use the run {run_id!r}: give its folder a name that begins with a digit and holds letters, digits, "
            "_, . and - only, at most 100"
        )
    runs = sorted((name for name in names if "0" <= name[0] <= "9"), reverse=True)
    raise UserError(f"no run {run_id[:100]!r} in {log_root}: it has {', '.join(runs[:5]) or 'none'}")


def left_out(run_id: str, wrong: Path) -> UserError:
    """What is told of a run that somebody asks for, and that is left out for the file `wrong`."""
    return UserError(f"run {run_id} is left out, as {wrong} can't be read: bring it back, or move the run away")


def lock_run(folder: Path) -> FileLock:
    """Hold a run for changing it; readers don't care. Given back by release(), and by the process' end, however it ends.

    Raises:
        UserError: another process holds it, or has deleted it, or the folder can't be written.
    """
    with told_plainly(f"cannot write to run {folder.name}"):
        lock = hold(folder / ".lock", f"run {folder.name} is being written")
    if not os.path.lexists(folder / "run.parquet"):  # deleted a moment ago: the lock's file made its folder anew
        lock.release()
        with suppress(OSError):
            (folder / ".lock").unlink(missing_ok=True)
            folder.rmdir()
        raise UserError(f"run {folder.name} was deleted by another process")
    return lock


def write_folder(target: Path, tables: dict[str, pa.Table]) -> None:
    """Write tables as `target`/<name>.parquet: on disk before they are there under that name, which must be free."""
    with new_folder(target) as temporary:
        for name, table in tables.items():
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd", compression_level=1, write_statistics=bounded(table.schema))
            with on_disk(temporary / f"{name}.parquet") as file:
                file.write(sink.getvalue())


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder for files that are on disk when they are written; at the end it is moved to `target`."""
    temporary = target.with_name(f".tmp-{uuid.uuid4().hex}")
    try:
        temporary.mkdir()
        yield temporary
        sync(temporary)
        os.rename(temporary, target)
        sync(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def told_plainly(what: str) -> Iterator[None]:
    """Turn an error of the disk into one line: `what`, why, what to do."""
    try:
        yield
    except OSError as error:
        do = "" if error.errno == errno.EINVAL else "; choose another folder"
        do = "; free some space or choose another folder" if error.errno in _FULL else do
        raise UserError(f"{what}: {error.strerror or error}{do}") from None
