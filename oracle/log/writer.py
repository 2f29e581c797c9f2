"""The run log: every rollout, every rank, with its reward and how it came about. Written by one process a run.

A step is a folder of Parquet files that is moved into place whole; what is there is never changed, so nobody who
reads can meet half a step or wait for a lock. From time to time the steps so far are merged, because a view opens every
file. Layout and columns: `sql/log/tables.sql`.
"""

import math
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oracle.base.errors import UserError
from oracle.log.compaction import merge_steps
from oracle.log.folders import (
    FOREVER,
    Merged,
    lock_run,
    loose_steps,
    merged_steps,
    remove_folder,
    remove_superseded,
    run_folder,
    single_steps,
    tidy,
    told_plainly,
    write_folder,
)
from oracle.log.schema import run_table, step_tables
from oracle.log.views import GRACE_S, ensure_schema

MERGE_EVERY = 200
"""Steps that stand alone at most, so that a query opens few files; merging them takes about a second."""


class LogWriter:
    """Writes the steps of one run below `<log_root>/<run_id>/`.

    Attributes:
        run_id: new and unique, such as "20261122-142501-ab12" (UTC).
        folder: where this run's steps are.
    """

    def __init__(self, log_root: str | Path, run: Mapping):
        """Begin a run. `run` has the columns of `runs` (see sql/log/tables.sql) but run_id; `started_at` defaults to now.

        Raises:
            UserError: unknown or missing settings, or a folder that can't be written.
        """
        root = Path(log_root).absolute()
        now = datetime.now(UTC)
        self.run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        self.folder = root / self.run_id
        table = run_table({"started_at": now, **run, "run_id": self.run_id})
        with told_plainly(f"cannot begin a run in the log {root}"):
            root.mkdir(parents=True, exist_ok=True)
            ensure_schema(root)
            write_folder(self.folder, {"run": table})
        self._begin(table)

    @classmethod
    def resume(cls, log_root: str | Path, run_id: str) -> "LogWriter":
        """Go on with a run; first puts right what a killed process left behind.

        Raises:
            UserError: no such run, or another process is writing it.
        """
        writer = cls.__new__(cls)
        writer.run_id = run_id
        writer.folder = run_folder(log_root, run_id)
        writer._begin(pq.read_table(writer.folder / "run.parquet"))
        with told_plainly(f"cannot go on with run {run_id}"):
            tidy(writer.folder)
        return writer

    @property
    def run(self) -> Mapping:
        """The run's row: the columns of `runs`."""
        return self._run

    def _begin(self, table: pa.Table) -> None:
        self._lock = lock_run(self.folder)
        self._run: dict = table.to_pylist()[0]

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
        if not 0 <= step < 10**8:
            raise UserError(f"step {step}: expected 0 to 99999999")
        for merged in merged_steps(self.folder):
            if merged.first <= step <= merged.last and merged.until == FOREVER:
                raise UserError(f"step {step} is merged with others: call truncate_after({step - 1}) to write it again")
        tables = step_tables(self._run, step, completions, verdicts)
        with told_plainly(f"cannot log step {step} in {self.folder} (the steps before it are safe)"):
            self._put(step, *tables)
            remove_superseded(self.folder, GRACE_S)
        if len(loose_steps(self.folder)) >= MERGE_EVERY:
            with suppress(UserError, OSError):  # no space: the steps are there, and stand alone until there is some
                merge_steps(self.folder, GRACE_S)

    def _put(self, step: int, completions: pa.Table, verdicts: pa.Table) -> None:
        write_folder(self.folder / f"step-{step:08d}", {"completions": completions, "verdicts": verdicts})

    def steps(self) -> list[int]:
        """Numbers of the finished steps, in order."""
        merged = [_steps_of(m) for m in self._lasting()]
        return sorted({*single_steps(self.folder)}.union(*merged))

    def truncate_after(self, step: int) -> None:
        """Drop the steps after `step`, the one of the checkpoint that training goes on from; the last one first.

        Of merged steps, those after `step` are still seen for `GRACE_S` seconds, and new ones not yet.
        """
        with told_plainly(f"cannot drop the steps after {step} of run {self.run_id}"):
            for number, path in reversed(single_steps(self.folder).items()):
                if number > step:
                    remove_folder(path)
            for merged in self._lasting():
                if merged.last > step:
                    self._split(merged, step)
                    os.rename(merged.path, merged._replace(until=math.ceil(time.time() + GRACE_S)).named())

    def _split(self, merged: Merged, last: int) -> None:
        """Write the steps up to `last` singly again; they count as soon as the merged folder doesn't."""
        completions = pq.ParquetFile(merged.path / "completions.parquet")
        verdicts = pq.ParquetFile(merged.path / "verdicts.parquet")
        for step in sorted(s for s in _steps_of(merged) if s <= last):
            self._put(step, _rows_of(completions, step), _rows_of(verdicts, step))

    def _lasting(self) -> list[Merged]:
        return [m for m in merged_steps(self.folder) if m.until == FOREVER]

    def close(self) -> None:
        """Let go of the run, so that it can be merged, exported, deleted, or gone on with by others."""
        self._lock.close()

    def __enter__(self) -> "LogWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _steps_of(merged: Merged) -> set[int]:
    return set(pq.read_table(merged.path / "rank_sums.parquet", columns=["step"])["step"].to_pylist())


def _rows_of(file: pq.ParquetFile, step: int) -> pa.Table:
    """The rows of one step, from the row groups that have any."""
    index = file.schema_arrow.get_field_index("step")
    spans = [file.metadata.row_group(g).column(index).statistics for g in range(file.num_row_groups)]
    groups = [g for g, span in enumerate(spans) if span is None or span.min <= step <= span.max]
    return file.read_row_groups(groups).filter(pc.field("step") == step)
