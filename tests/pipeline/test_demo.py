"""The demo goes on where it was stopped, in whichever stage, and does nothing twice."""

import pytest
import yaml
from transformers import TrainerCallback

import pipeline.demo
import pipeline.settings.parsing
import pipeline.simulation.demo_data
import pipeline.simulation.duration
from pipeline.evaluation.journal import Journal
from pipeline.settings.flags import CONFIGS
from trainer import RankGRPOConfig

TINY = {
    "world": {"films": 250, "train": 60, "tune": 4, "heldout": 6},
    "sft": {"max_steps": 4, "save_steps": 2, "per_device_train_batch_size": 8},
    "train": {
        "max_steps": 4, "save_steps": 2, "num_generations": 2, "per_device_train_batch_size": 4, "max_completion_length": 12,
    },
}  # fmt: skip


@pytest.fixture
def tiny_demo(tmp_path, monkeypatch):
    """The demo in a folder of its own, with the sizes of `TINY`."""
    settings = yaml.safe_load((CONFIGS / "demo.yaml").read_text())
    (tmp_path / "demo.yaml").write_text(
        yaml.safe_dump({name: settings[name] | TINY.get(name, {}) for name in settings})
    )
    for module in (pipeline.demo, pipeline.settings.parsing, pipeline.simulation.demo_data):
        monkeypatch.setattr(module, "CONFIGS", tmp_path)
    for name in ("ANSWERS", "PROMPT", "ANSWER"):
        monkeypatch.setattr(pipeline.simulation.duration, name, 4)
    monkeypatch.chdir(tmp_path)


def watched(patch: pytest.MonkeyPatch, stop: tuple[str, int] | None = None) -> list[tuple[str, int]]:
    """The steps that are begun, as ("sft" or "train", number from 0); stopped at the beginning of `stop`."""
    begun: list[tuple[str, int]] = []

    def on_step_begin(self, args, state, control, **_):
        step = ("train" if isinstance(args, RankGRPOConfig) else "sft", state.global_step)
        if step == stop:
            raise KeyboardInterrupt
        if step not in begun:  # each callback is asked
            begun.append(step)

    patch.setattr(TrainerCallback, "on_step_begin", on_step_begin)
    return begun


def stop_at_batch(patch: pytest.MonkeyPatch, batch: int) -> list[int]:
    """Stop an evaluation when so many batches are answered; the number of answers in each."""
    added: list[int] = []
    add = Journal.add

    def stopping(self, entries):
        if len(added) == batch:
            raise KeyboardInterrupt
        added.append(len(entries))
        add(self, entries)

    patch.setattr(Journal, "add", stopping)
    return added


def test_a_demo_that_was_stopped_goes_on_from_each_of_its_stages_and_does_nothing_twice(tiny_demo):
    def run() -> None:
        pipeline.demo.main(["--seed", "1"])

    def stopped_at(step: tuple[str, int]) -> list[tuple[str, int]]:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            begun = watched(patch, step)
            run()
        return begun

    assert stopped_at(("sft", 3)) == [("sft", 0), ("sft", 1), ("sft", 2)]
    assert stopped_at(("train", 1)) == [("sft", 2), ("sft", 3), ("train", 0)]  # from SFT's checkpoint of step 2
    assert stopped_at(("train", 3)) == [("train", 0), ("train", 1), ("train", 2)]  # it had no checkpoint yet
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        begun, answered = watched(patch), stop_at_batch(patch, 1)
        run()
    assert begun == [("train", 2), ("train", 3)] and answered == [6]  # the SFT model's answers
    with pytest.MonkeyPatch.context() as patch:
        begun, answered = watched(patch), stop_at_batch(patch, 99)
        run()
    assert begun == [] and answered == [6]  # those of the trained model
