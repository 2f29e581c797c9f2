"""The runs of the log that a training run writes: its rollouts, and its evaluations."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from oracle.base.printable import storable_json
from oracle.log import LogWriter, run_info
from oracle.sources import catalog_note, noted_catalog
from oracle.store import log_root
from pipeline.settings.chosen_rewards import logged_rewards
from pipeline.settings.flags import TrainSettings
from pipeline.settings.trl_config import trl_options
from pipeline.training.processes import tell
from pipeline.training.runs import checkpoint_step, last_checkpoint

EVALUATION_ID = "evaluation_run_id"
"""The file in a run's folder with the id under which its evaluations are logged."""


class ResumedRun(LogWriter):
    """A run to go on with. What is to be dropped of it goes when the first step is written, not before: a command that is
    refused until then, for whatever is damaged or lacking, has changed nothing."""

    drop: Callable[[], None] = staticmethod(lambda: None)

    def write_step(self, step: int, completions: pa.Table, verdicts: pa.Table) -> None:
        self.drop()
        super().write_step(step, completions, verdicts)

    def write_loss(self, step: int, by_rank: pa.Table) -> None:
        self.drop()
        super().write_loss(step, by_rank)


def open_run(settings: TrainSettings) -> LogWriter:
    """A new run in the log, or the one to go on with, whose steps behind the checkpoint `drop_later` drops."""
    root = log_root(settings.store)
    if settings.resume:
        log = ResumedRun.resume(root, (Path(settings.resume) / "run_id").read_text().strip())
        noted_catalog(json.loads(log.run["settings"] or "{}"))  # that of another file is refused
        done = checkpoint_step(last_checkpoint(settings.resume))
        uses_again = (
            settings.mu > 1 or {"steps_per_generation", "generation_batch_size"} & trl_options(settings.trl).keys()
        )
        if gaps := log.lacking(done, None if uses_again else 1):
            steps = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in gaps)
            tell(f"the log of run {log.run_id} lacks its steps {steps}, of {done} that are trained: no figure has them")
        return log
    info = run_info()
    s = settings
    return LogWriter(
        root,
        {
            "kind": "train", "model": s.sft_model_path or s.model_name, "dataset": s.train_path, "rec_num": s.rec_num,
            "num_generations": s.num_generations, "risk_threshold": s.risk_threshold, "unresolved": s.unresolved,
            "unrated": s.unrated,
            "length_control": s.length_control, "advantage_mode": s.advantage_mode, **logged_rewards(s),
            "settings": _as_json(s), "versions": json.dumps(info["versions"]), "git": json.dumps(info["git"]),
        },
    )  # fmt: skip


def earlier_evaluations(settings: TrainSettings) -> ResumedRun | None:
    """The run of kind evaluate to go on with; None: one that ended before its first evaluation left none."""
    root, noted = log_root(settings.store), Path(settings.resume or "", EVALUATION_ID)
    run_id = noted.read_text().strip() if settings.resume and noted.exists() else None
    return ResumedRun.resume(root, run_id) if run_id and (root / run_id).exists() else None


def open_evaluations(settings: TrainSettings, log: LogWriter) -> LogWriter:
    """The run of kind evaluate whose steps are the evaluations of a training run, or the one to go on with."""
    earlier = earlier_evaluations(settings)
    _tell_of_lacking(settings, earlier.steps() if earlier else [])
    return earlier or LogWriter(
        log_root(settings.store),
        {
            **log.run, "kind": "evaluate", "started_at": datetime.now(UTC), "model": f"{log.run['model']}, while training",
            "dataset": settings.val_path, "num_generations": trl_options(settings.trl).get("num_generations_eval", 1),
            "settings": _as_json(settings, training_run=log.run_id),
        },
    )  # fmt: skip


def drop_later(
    run: str | Path, log: LogWriter, evaluations: LogWriter | None, *, trains: bool = True
) -> Callable[[], None]:
    """Have the steps behind the checkpoint of a resumed run dropped, of both its logs: when one of them is first written to, or
    by what is returned. `trains`: whether it will be written to.

    Raises `UserError` where one could not be cut.
    """
    checkpoint = last_checkpoint(run)
    done = checkpoint_step(checkpoint)
    both = {"step": log, "evaluation": evaluations}
    due = [each for each in both.values() if isinstance(each, ResumedRun)]
    for each in due:
        each.check_up_to(done)
    behind = {what: [step for step in each.steps() if step > done] for what, each in both.items() if each}
    if there := [_several(what, steps) for what, steps in behind.items() if steps]:
        when = f"when step {done + 1} is trained again" if trains else "as the run ends there"
        tell(f"the log of run {log.run_id} has {' and '.join(there)} behind {checkpoint}: dropped {when}")

    def drop() -> None:
        while due:
            due[-1].truncate_after(done)
            due.pop()

    for each in due:
        each.drop = drop
    return drop


def _several(what: str, steps: list[int]) -> str:
    return f"1 {what} ({steps[0]})" if len(steps) == 1 else f"{len(steps)} {what}s ({steps[0]} to {steps[-1]})"


def tell_of_end(run: str, is_evaluated: bool) -> None:
    """Say what was not made of a run that ends at a checkpoint within its course, as it was to go on."""
    lines, evaluations = _made(run)
    done, last = checkpoint_step(last_checkpoint(run)), max(lines, default=0)
    if last < done:
        tell(f"no line of metrics has {_several('step', [*range(last + 1, done + 1)])}, as the run was to go on")
    if is_evaluated and done not in evaluations:
        tell(f"the model of step {done} was not evaluated: evaluate.py does that")


def _tell_of_lacking(settings: TrainSettings, logged: list[int]) -> None:
    """Say which evaluations were made before the checkpoint and are in no log."""
    if not settings.resume:
        return
    _, made = _made(settings.resume)
    if lacking := sorted(made - {*logged}):
        steps = ", ".join(map(str, lacking))
        tell(f"the log lacks the evaluations at the steps {steps}, of {len(made)} that were made: no figure has them")


def _made(run: str) -> tuple[set[int], set[int]]:
    """The steps at which a line of metrics, and an evaluation, was made before the checkpoint that is gone on with."""
    state = json.loads((last_checkpoint(run) / "trainer_state.json").read_text(encoding="utf-8"))
    lines = {line["step"] for line in state["log_history"] if "loss" in line}
    return lines, {line["step"] for line in state["log_history"] if any(name.startswith("eval_") for name in line)}


def _as_json(settings: TrainSettings, **more: str) -> str:
    return storable_json({**asdict(settings), **catalog_note(settings.catalog_path), **more})
