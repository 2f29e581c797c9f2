"""Models and notes of a run are whole at every moment, and a run that is killed between two moves loses neither model."""

import json
import resource
import shutil
from pathlib import Path

import pytest
from transformers import TrainerState

from oracle import UserError
from pipeline.training.best import KeepBest
from pipeline.training.replaced import end_move, note, replaced_folder


class Killed(BaseException):
    pass


def save(folder: Path, text: str) -> None:
    with replaced_folder(folder) as new:
        new.mkdir()
        (new / "model").write_text(text)


@pytest.mark.parametrize("move", ["before the first", "before the second", "before the old one is gone"])
def test_a_run_that_is_killed_while_it_replaces_a_model_keeps_one_whole(tmp_path, monkeypatch, move):
    best = tmp_path / "best"
    save(best, "first")
    moves = iter(range(9))
    with monkeypatch.context() as patch:
        rename = Path.rename

        def killed(path, target):
            if next(moves) == {"before the first": 0, "before the second": 1}.get(move):
                raise Killed
            return rename(path, target)

        def gone(path, **_):
            if path.exists():
                raise Killed

        patch.setattr(Path, "rename", killed)
        patch.setattr(shutil, "rmtree", gone)
        with pytest.raises(Killed):
            save(best, "second")
    end_move(best)
    assert (best / "model").read_text() == ("first" if move == "before the first" else "second")
    save(best, "third")
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    assert (best / "model").read_text() == "third"


class Saving:
    """A trainer that saves no more than a name."""

    def save_model(self, folder: str) -> None:
        Path(folder).mkdir()
        (Path(folder) / "model").write_text(self.name)


def evaluated(best: Path, checkpoint: int, history: list[dict], coming: list[tuple[str, dict]]) -> None:
    """What a process keeps that goes on from `checkpoint`, with the evaluations `history`, and evaluates `coming`."""
    trainer, log = Saving(), list(history)
    keeping = KeepBest(trainer, best, share=0.9)
    keeping.on_train_begin(None, TrainerState(global_step=checkpoint), None)
    for trainer.name, evaluation in coming:
        log.append(evaluation)
        keeping.on_evaluate(None, TrainerState(log_history=log), None)


def test_the_best_of_steps_that_a_resumed_run_does_otherwise_is_kept_until_a_better_one(tmp_path):
    one, two, lost, three, four = (
        {"step": step, "eval_svr": svr, "eval_recall": 0.2}
        for step, svr in [(1, 0.4), (2, 0.5), (3, 0.1), (3, 0.45), (4, 0.05)]
    )
    best = tmp_path / "best"
    evaluated(best, 0, [], [("one", one), ("two", two), ("lost", lost)])
    evaluated(best, 2, [one, two], [("three", three)])
    assert (best / "model").read_text() == "lost" and json.loads((best / "evaluation.json").read_text()) == lost
    evaluated(best, 2, [one, two], [("three", three), ("four", four)])
    assert (best / "model").read_text() == "four"


def test_what_a_run_notes_stays_as_it_was_where_the_disk_is_full(tmp_path):
    file = tmp_path / "run_id"
    note(file, "20261128-1")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with pytest.raises(UserError, match="cannot write"):
            note(file, "20261128-1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_text() == "20261128-1" and [path.name for path in tmp_path.iterdir()] == ["run_id"]
