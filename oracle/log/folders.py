"""The folders of a run: put there whole, taken away whole, changed by one process at a time.

Names: `step-<step>-<number>-f<format>` holds one step, `steps-<first>-<last>-<number>-f<format>` merged ones. `number`
grows with every folder of the run. A folder counts unless one with a higher number covers all its steps; so every change
is one new folder, moved into place in one move, and no clock has a say in it. `.tmp-*` is being written, `.gone-*` removed.
docs/log-format.md draws it; the view `log_folders` says the same in SQL.
"""

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from oracle.base.errors import UserError
from oracle.base.files import hold, sync

FORMAT = 2
"""Of what is written. Raise it when a column is added or means something else; tests/oracle/log/test_formats.py reminds.
An older format stays readable: sql/log/tables.sql has a pattern for its folders, `views._schema_folders` an empty one."""

LAST = 99_999_999
_SINGLE = re.compile(r"step-(\d{8})-(\d{8})-f(\d)")
_MERGED = re.compile(r"steps-(\d{8})-(\d{8})-(\d{8})-f(\d)")
# Format 1 had no numbers: a merged folder covered whatever singles it spans, and counted from one second to another.
_SINGLE_1 = re.compile(r"step-(\d{8})")
_MERGED_1 = re.compile(r"steps-(\d{8})-(\d{8})-\d{10}-9{10}")
_ENDED_1 = re.compile(r"steps-\d{8}-\d{8}-\d{10}-\d{10}")


class Steps(NamedTuple):
    """A folder of steps. A merged one covers `first` to `last`, whether or not it holds each of them."""

    path: Path
    first: int
    last: int
    number: int
    format: int
    merged: bool

    @property
    def key(self) -> str:
        """As in the view `log_folders`."""
        return f"{self.path.parent.name}/{self.path.name}"

    def covers(self, other: "Steps") -> bool:
        """Whether `other` no longer counts because of this one."""
        return self.number > other.number and self.first <= other.first and self.last >= other.last


def parsed(path: Path) -> Steps | None:
    """What a folder's name says; null for a name of another kind."""
    if m := _SINGLE.fullmatch(path.name):
        return Steps(path, int(m[1]), int(m[1]), int(m[2]), int(m[3]), merged=False)
    if m := _MERGED.fullmatch(path.name):
        return Steps(path, int(m[1]), int(m[2]), int(m[3]), int(m[4]), merged=True)
    if m := _SINGLE_1.fullmatch(path.name):
        return Steps(path, int(m[1]), int(m[1]), 0, 1, merged=False)
    if m := _MERGED_1.fullmatch(path.name):
        return Steps(path, int(m[1]), int(m[2]), 1, 1, merged=True)
    return None


def all_steps(folder: Path) -> list[Steps]:
    """The folders of steps of a run, those that no longer count too, by first step."""
    found = [steps for path in folder.iterdir() if (steps := parsed(path))]
    return sorted(found, key=lambda s: (s.first, s.last, s.number))


def counted(found: list[Steps]) -> list[Steps]:
    """Those that count."""
    spans = [s for s in found if s.merged]
    newest = {s.first: s.number for s in sorted(found, key=lambda s: s.number) if not s.merged}
    return [
        s
        for s in found
        if (s.merged or s.number == newest[s.first]) and not any(span.covers(s) for span in spans)
    ]


def steps_of(steps: Steps) -> list[int]:
    """The steps that a folder holds."""
    if not steps.merged:
        return [steps.first]
    return sorted(set(pq.read_table(steps.path / "rank_sums.parquet", columns=["step"])["step"].to_pylist()))


def next_number(found: list[Steps]) -> int:
    """Higher than that of every folder there is."""
    return max((s.number for s in found), default=1) + 1


def single_path(folder: Path, step: int, number: int) -> Path:
    return folder / f"step-{step:08d}-{number:08d}-f{FORMAT}"


def merged_path(folder: Path, first: int, last: int, number: int) -> Path:
    return folder / f"steps-{first:08d}-{last:08d}-{number:08d}-f{FORMAT}"


def run_folder(log_root: str | Path, run_id: str) -> Path:
    """The folder of a run. Raises `UserError` for a run that isn't there."""
    folder = Path(log_root).absolute() / run_id
    if not re.fullmatch(r"[0-9][\w.-]*", run_id) or not (folder / "run.parquet").is_file():
        runs = sorted((p.parent.name for p in Path(log_root).glob("[0-9]*/run.parquet")), reverse=True)
        raise UserError(f"no run {run_id!r} in {log_root}: it has {', '.join(runs[:5]) or 'none'}")
    return folder


def lock_run(folder: Path) -> FileLock:
    """Hold a run for changing it; readers don't care. Given back by release(), and by the process' end, however it ends.

    Raises:
        UserError: another process holds it, or the folder can't be written.
    """
    with told_plainly(f"cannot write to run {folder.name}"):
        return hold(folder / ".lock", f"run {folder.name} is being written")


def write_folder(target: Path, tables: dict[str, pa.Table]) -> None:
    """Write tables as `target`/<name>.parquet: on disk before they are there under that name, which must be free."""
    with new_folder(target) as temporary:
        for name, table in tables.items():
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink, compression="zstd", compression_level=1)
            (temporary / f"{name}.parquet").write_bytes(sink.getvalue())


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder; at the end its files are put on disk, and it is moved to `target`."""
    temporary = target.with_name(f".tmp-{uuid.uuid4().hex}")
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.iterdir():
            sync(file)
        sync(temporary)
        os.rename(temporary, target)
        sync(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def remove_folder(folder: Path) -> None:
    """Remove a folder: at once for those who list it, then its files."""
    gone = folder.with_name(f".gone-{uuid.uuid4().hex}")
    os.rename(folder, gone)
    shutil.rmtree(gone)


def tidy(folder: Path) -> None:
    """Drop what a killed process left half written, or half removed, in a run."""
    for leftover in (*folder.glob(".tmp-*"), *folder.glob(".gone-*")):
        shutil.rmtree(leftover)


def remove_superseded(folder: Path, grace_s: float) -> int:
    """Remove folders that have not counted for `grace_s` seconds; how many that were.

    The seconds only spare readers an error, "no such file", as they began before; what counts is the same before and
    after. The newest folder stays, as numbers go on from it.
    """
    found = all_steps(folder)
    counts = set(counted(found))
    gone = [s.path for s in found if s not in counts and any(c.covers(s) and _age(c.path) >= grace_s for c in found)]
    gone += [path for path in folder.iterdir() if _ENDED_1.fullmatch(path.name) and not parsed(path)]
    gone += [s.path for s in found if s.last == LAST and s.number + 1 < next_number(found) and _is_done(s, found)]
    for path in gone:
        remove_folder(path)
    return len(gone)


def _is_done(steps: Steps, found: list[Steps]) -> bool:
    """Whether a folder only dropped others, which are removed."""
    return not any(steps.covers(other) for other in found) and not steps_of(steps)


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


@contextmanager
def told_plainly(what: str) -> Iterator[None]:
    """Turn an error of the disk into one line: `what`, why, what to do."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{what}: {error.strerror or error}; free some space or choose another folder") from None
