"""The best of the models that a run evaluates, by a rule: as few violations as recall allows."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from transformers import TrainerCallback

from pipeline.training.processes import this_process
from pipeline.training.replaced import end_move, replaced_folder
from trainer import RankGRPOTrainer


def best_of(evaluations: Sequence[Mapping[str, float | None]], share: float) -> Mapping[str, float | None]:
    """The evaluation of the lowest eval_svr among those whose eval_recall is at least `share` of the first one's.

    Of equal ones the one of the higher recall, and then the earlier. The first always counts; a violation rate that
    nobody knows (NaN: no film listed) is the worst.
    """
    least = share * _known(evaluations[0], "eval_recall")
    enough = [e for e in evaluations if e is evaluations[0] or _known(e, "eval_recall") >= least]

    def worse(e: Mapping[str, float | None]) -> tuple[bool, float, float]:
        svr = _known(e, "eval_svr")
        return math.isnan(svr), svr, -_known(e, "eval_recall")

    return min(enough, key=worse)


def _known(evaluation: Mapping[str, float | None], name: str) -> float:
    value = evaluation[name]
    return math.nan if value is None else value  # transformers keeps NaN as null


class KeepBest(TrainerCallback):
    """Saves the best model so far in `folder`, with the evaluation that made it the best in evaluation.json.

    That may be of a step behind the checkpoint from which a run goes on, which comes out otherwise this time. What is kept
    counts as what it is: only a better one takes its place.
    """

    def __init__(self, trainer: RankGRPOTrainer, folder: Path, share: float):
        self._trainer, self._folder, self._share = trainer, folder, share
        self._kept_before: dict | None = None
        if this_process().is_main_process:
            end_move(folder)

    def on_train_begin(self, args, state, control, **_):
        this_process().wait_for_everyone()
        if state.global_step and (kept := self._folder / "evaluation.json").exists():
            self._kept_before = json.loads(kept.read_text())

    def on_evaluate(self, args, state, control, **_):
        evaluations = [line for line in state.log_history if "eval_svr" in line]  # a resumed run has those before
        latest = evaluations[-1]
        if self._kept_before and self._kept_before not in evaluations:
            evaluations.insert(1, self._kept_before)
        best = best_of(evaluations, self._share)
        if best is not latest:
            return
        with replaced_folder(self._folder, this_process()) as new:
            self._trainer.save_model(str(new))
            if this_process().is_main_process:
                (new / "evaluation.json").write_text(json.dumps(best, indent=1))


def kept(folder: Path) -> str:
    """What was kept there, in a line."""
    best = json.loads((folder / "evaluation.json").read_text())
    if best["eval_svr"] is None:
        return f"best: {folder}, of step {best['step']}: no film is listed"
    recall = "unknown" if best["eval_recall"] is None else f"{best['eval_recall']:.3f}"
    return (
        f"best: {folder}, of step {best['step']}: SVR {best['eval_svr']:.1%} (at most {best['eval_svr_high']:.1%}), "
        f"recall {recall}, {best['eval_films_per_list']:.1f} titles a list"
    )
