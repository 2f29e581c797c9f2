"""The run log: every rollout, every rank, with its reward and how it came about. Written by one process a run.

A step is a folder of Parquet files that is moved into place whole; what is there is never changed, so nobody who
reads can meet half a step or wait for a lock. From time to time the steps so far are merged, because a view opens every
file. Layout: `sql/log/files.sql`, columns: `sql/log/tables.sql`; why it is so: docs/log-format.md.
"""

import errno
import os
import secrets
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import Concatenate, ParamSpec, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oracle.base.database import check_path
from oracle.base.errors import UserError
from oracle.base.files import absolute, sync
from oracle.base.parquet import write_parquet
from oracle.log.compaction import begin_epoch, check_up_to, drop_after, merge_steps
from oracle.log.empty import ensure_schema
from oracle.log.folders import (
    ATTEMPTS,
    MANIFEST_0,
    counted,
    lock_run,
    run_folder,
    single_path,
    told_plainly,
    write_folder,
)
from oracle.log.reading import GRACE_S
from oracle.log.removal import remove_run
from oracle.log.run_row import filled, run_table
from oracle.log.schema import LOSS, loss_table, step_tables
from oracle.log.sound import check_loss, check_run
from oracle.log.state import tell_of_state
from oracle.log.upkeep import remove_superseded, tidy

MERGE_EVERY = 200
"""Steps that stand alone at most, so that a query opens few files; merging them takes about a second."""

P = ParamSpec("P")
R = TypeVar("R")


def _changing(method: Callable[Concatenate["LogWriter", P], R]) -> Callable[Concatenate["LogWriter", P], R]:
    """A change of a run: by one thread at a time, of the process that holds the run, until it lets go."""

    @wraps(method)
    def changing(self: "LogWriter", *args: P.args, **kwargs: P.kwargs) -> R:
        if self._process != os.getpid():  # forked from the one that holds the run
            raise UserError(f"run {self.run_id} is being written by process {self._process}: it alone can change it")
        with self._one_at_a_time:
            if not self._is_open:
                raise UserError(f"run {self.run_id} is closed: LogWriter.resume goes on with it")
            return method(self, *args, **kwargs)

    return changing


@contextmanager
def whole_run(log_root: str | Path, run: Mapping) -> Iterator["LogWriter"]:
    """Write a run that is in the log when the block ends: all its steps at once, and nothing where it fails or is killed.

    Raises `UserError` as `LogWriter` does.
    """
    root = absolute(log_root)
    draft = root / f".tmp-{uuid.uuid4().hex}"
    try:
        with LogWriter(draft, run) as writer:
            yield writer
            with told_plainly(f"cannot add a run to the log {root}"):
                ensure_schema(root)
                os.rename(writer.folder, root / writer.run_id)
                sync(root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class LogWriter:
    """Writes the steps of one run below `<log_root>/<run_id>/`: one process, of which threads take turns, until it is closed.

    Attributes:
        run_id: new and unique, such as "20261122-142501-ab12" (UTC).
        folder: where this run's steps are.
    """

    def __init__(self, log_root: str | Path, run: Mapping):
        """Begin a run. `run` has the columns of `runs` (see sql/log/tables.sql) but run_id; `started_at`: None is now.

        Raises:
            UserError: unknown or missing settings, values that no reader would take, or a folder that can't be written.
        """
        root = absolute(log_root)
        check_path(root, "\\")
        now = datetime.now(UTC)
        started = run.get("started_at")
        row = {**run, "started_at": now if started is None else started}
        run_table({**row, "run_id": ""})  # what it refuses leaves nothing
        with told_plainly(f"cannot begin a run in the log {root}"):
            root.mkdir(parents=True, exist_ok=True)
            ensure_schema(root)
            self._put(root, row, now)
        self._begin()
        self._is_new = True

    def _put(self, root: Path, row: Mapping, now: datetime) -> None:
        """Make the folder of the run, under an id that is free whoever else begins one in this second."""
        for left in reversed(range(ATTEMPTS)):
            self.run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
            self.folder = root / self.run_id
            table = run_table({**row, "run_id": self.run_id})
            try:
                write_folder(self.folder, {"run": table, **MANIFEST_0})
                break
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or not left:
                    raise

    @classmethod
    def resume(cls, log_root: str | Path, run_id: str) -> Self:
        """Go on with a run; first puts right what a killed process left behind.

        Raises:
            UserError: no such run, or another process is writing it.
        """
        writer = cls.__new__(cls)
        writer.run_id = run_id
        writer.folder = run_folder(log_root, run_id)
        check_run(writer.folder)
        check_loss(writer.folder)
        writer._begin()
        try:
            with told_plainly(f"cannot go on with run {run_id}"):
                ensure_schema(writer.folder.parent)
                tidy(writer.folder)
                if counted(writer.folder).epoch < 0:  # of an older format: from now on a manifest says what counts
                    now = counted(writer.folder)
                    begin_epoch(writer.folder, now, keep=now.merged, rewrite=now.single)
                remove_superseded(writer.folder, GRACE_S)
            tell_of_state(writer.folder.parent)
        except BaseException:
            writer.close()  # a notebook keeps its last error, and with it the writer
            raise
        return writer

    @property
    def run(self) -> Mapping:
        """The run's row: the columns of `runs`."""
        return self._run

    def _begin(self) -> None:
        self._is_new = False
        self._process, self._one_at_a_time = os.getpid(), threading.RLock()
        self._lock = lock_run(self.folder)
        self._is_open = True
        try:
            self._run: dict = filled(pq.read_table(self.folder / "run.parquet").to_pylist()[0])
        except BaseException:
            self.close()
            raise

    @_changing
    def write_step(self, step: int, completions: pa.Table, verdicts: pa.Table) -> None:
        """Write a step, whole or not at all; one of that number that is there already is replaced.

        Args:
            step: counts from 1 in training.
            completions, verdicts: the columns of `rollouts` and `verdicts` in sql/log/tables.sql; run_id, step and what
                follows from other columns may be left out. G consecutive completions are a group.

        Raises:
            UserError: tables of another shape, a full disk or a folder that can't be written (all steps that were
                finished are as they were), or a step that was merged with others.
        """
        _check_step(step)
        with told_plainly(f"cannot log step {step} in {self.folder}"):
            now = counted(self.folder)
        if any(step in s.steps for s in now.merged):
            way_out = f"call truncate_after({step - 1}) to write it again" if step else "begin another run"
            raise UserError(f"step {step} is merged with others: {way_out}")
        completions, verdicts = step_tables(self._run, step, completions, verdicts)
        others = [s for s in now.single if step not in s.steps]
        again = len(others) < len(now.single)
        target = single_path(self.folder, step, now.epoch + again)

        def put() -> None:
            write_folder(target, {"completions": completions, "verdicts": verdicts})

        with told_plainly(f"cannot log step {step} in {self.folder} (the steps before it are safe)"):
            if again:
                begin_epoch(self.folder, now, keep=now.merged, rewrite=others, put=put)
            else:
                put()
        remove_superseded(self.folder, GRACE_S)
        if len(others) + 1 >= MERGE_EVERY:
            with suppress(UserError, OSError):  # no space: the steps are there, and stand alone until there is some
                merge_steps(self.folder)

    @_changing
    def write_loss(self, step: int, by_rank: pa.Table) -> None:
        """Add what the loss made of the ranks up to `step`, since it was last written, in place of what was written of that step;
        the file is replaced whole.

        Args:
            by_rank: the columns of `loss_by_rank` in sql/log/tables.sql but run_id and step.

        Raises:
            UserError: a table of another shape, a full disk, or a folder that can't be written; what was there stays.
        """
        _check_step(step)
        others = self._loss(pc.field("step") != step)
        table = pa.concat_tables([others, loss_table(step, by_rank)])
        self._replace_loss(table.sort_by([("step", "ascending"), ("rank", "ascending")]))

    def _loss(self, where: pc.Expression) -> pa.Table:
        file = self.folder / "loss.parquet"
        check_loss(self.folder)
        return pq.read_table(file, filters=where) if file.exists() else LOSS.empty_table()

    def _replace_loss(self, table: pa.Table) -> None:
        part = self.folder / ".loss.parquet.tmp"
        with told_plainly(f"cannot log the loss of run {self.run_id}"):
            write_parquet(table.to_batches(), LOSS, part)
            part.replace(self.folder / "loss.parquet")
            sync(self.folder)

    def steps(self) -> list[int]:
        """Numbers of the finished steps, in order. Raises `UserError` where they can't be listed."""
        with told_plainly(f"cannot list the steps of run {self.run_id}"):
            return counted(self.folder).steps()

    def lacking(self, last: int, every: int | None = None) -> list[tuple[int, int]]:
        """The gaps up to the step `last`, each as its first and last step. A run that uses a batch for several steps logs one in
        `every`; None: not known, and taken for the shortest way from one to the next."""
        with told_plainly(f"cannot list the steps of run {self.run_id}"):
            now = counted(self.folder)
        there = sorted(n for s in (*now.merged, *now.single) if s.path.is_dir() for n in s.steps if n <= last)
        every = every or min((b - a for a, b in pairwise(there)), default=1)
        around = pairwise([1 - every, *there, last + 1])
        return [(a + every, b - 1) for a, b in around if b - a > every]

    @_changing
    def truncate_after(self, step: int) -> None:
        """Drop the steps after `step`, the one of the checkpoint that training goes on from; all at once.

        Raises `UserError` for one of the others that can't be read, as `check_up_to` does before it is time to drop any.
        """
        _check_step(step)
        loss = self._loss(pc.field("step") <= step)  # refused where it can't be read, before anything is dropped
        with told_plainly(f"cannot drop the steps after {step} of run {self.run_id}"):
            drop_after(self.folder, step)
        self._replace_loss(loss)

    def check_up_to(self, step: int) -> None:
        """Raises `UserError` where `truncate_after` would, for what can't be read; changes nothing."""
        _check_step(step)
        self._loss(pc.field("step") <= step)
        with told_plainly(f"cannot look at the steps of run {self.run_id}"):
            check_up_to(self.folder, step)

    def close(self) -> None:
        """Let go of the run, so that it can be merged, exported, deleted, or gone on with by others."""
        if self._process != os.getpid():
            return
        with self._one_at_a_time:  # a step that another thread is writing is finished
            self._is_open = False
            self._lock.release()

    @_changing
    def discard(self) -> None:
        """Remove the run and all its steps, and let go of it. Raises `UserError` as `delete_run` does."""
        self._is_new = self._is_open = False
        remove_run(self.folder, self._lock)

    def __enter__(self) -> "LogWriter":
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        """A run that was begun here, and failed before its first step, leaves nothing."""
        if failed and self._is_new:
            with suppress(UserError):  # what failed is to be told, and not what came of that
                if not self.steps():
                    self.discard()
        self.close()


def _check_step(step: int) -> None:
    if isinstance(step, bool) or not isinstance(step, int | np.integer) or not 0 <= step < 10**8:
        raise UserError(f"step {step!r}: expected a whole number of 0 to 99999999")
