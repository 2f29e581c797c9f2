"""The runs of the log that a training run writes: its rollouts, and its evaluations."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

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


def open_run(settings: TrainSettings) -> LogWriter:
    """A new run in the log, or the one to go on with, without the steps after its last checkpoint."""
    root = log_root(settings.store)
    if settings.resume:
        log = LogWriter.resume(root, (Path(settings.resume) / "run_id").read_text().strip())
        noted_catalog(json.loads(log.run["settings"] or "{}"))  # that of another file is refused
        done = checkpoint_step(last_checkpoint(settings.resume))
        log.truncate_after(done)
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


def open_evaluations(settings: TrainSettings, log: LogWriter) -> LogWriter:
    """The run of kind evaluate whose steps are the evaluations of a training run, or the one to go on with."""
    root, noted = log_root(settings.store), Path(settings.resume or "", EVALUATION_ID)
    earlier = noted.read_text().strip() if settings.resume and noted.exists() else None
    # A run that ended before its first evaluation left none.
    if settings.resume and earlier and (root / earlier).exists():
        evaluations = LogWriter.resume(root, earlier)
        evaluations.truncate_after(checkpoint_step(last_checkpoint(settings.resume)))
        _tell_of_lacking(settings, evaluations.steps())
        return evaluations
    _tell_of_lacking(settings, [])
    return LogWriter(
        root,
        {
            **log.run, "kind": "evaluate", "started_at": datetime.now(UTC), "model": f"{log.run['model']}, while training",
            "dataset": settings.val_path, "num_generations": trl_options(settings.trl).get("num_generations_eval", 1),
            "settings": _as_json(settings, training_run=log.run_id),
        },
    )  # fmt: skip


def _tell_of_lacking(settings: TrainSettings, logged: list[int]) -> None:
    """Say which evaluations were made before the checkpoint and are in no log."""
    if not settings.resume:
        return
    state = json.loads((Path(last_checkpoint(settings.resume)) / "trainer_state.json").read_text(encoding="utf-8"))
    made = {line["step"] for line in state["log_history"] if any(name.startswith("eval_") for name in line)}
    if lacking := sorted(made - {*logged}):
        steps = ", ".join(map(str, lacking))
        tell(f"the log lacks the evaluations at the steps {steps}, of {len(made)} that were made: no figure has them")


def _as_json(settings: TrainSettings, **more: str) -> str:
    return storable_json({**asdict(settings), **catalog_note(settings.catalog_path), **more})
