"""A run that was stopped and resumed is the run that was never stopped, to the last bit."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
import torch
from peft import LoraConfig
from transformers import TrainerCallback, TrainerState

from oracle import UserError
from oracle.log import LogWriter, open_log
from tests.trainer.drive import SAFE, UNSAFE_AT_3, K, answer_with, tiny_model
from tests.trainer.tokenizers import byte_level
from trainer.rewards import make_end_func, make_relevance_func, make_safety_func

LORA = LoraConfig(r=4, lora_dropout=0.1, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")


def variety(completions, **_):
    """A reward that tells babble from babble."""
    return [[float(len(set(c)))] * K for c in completions]


def written(log: LogWriter) -> dict[str, pl.DataFrame]:
    """What readers of the log see: folders that no longer count stay a while."""
    with open_log(log.folder.parent) as connection:
        return {
            name: connection.table(name).pl().sort("step", "completion", *["rank"] * (name == "verdicts"))
            for name in ("rollouts", "verdicts")
        }


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize(("mu", "stop"), [(1, 4), (2, 4), (2, 3)])
def test_stopped_and_resumed_equals_never_stopped(make_trainer, annotator, tmp_path, mu, stop, lora):
    """Really sampled, dropout in the adapter: all randomness must come back as well; at step 3 a batch is half used."""
    tiny_model().save_pretrained(tmp_path / "model")
    ours = [make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K)]
    functions = [*ours, variety, make_end_func(annotator, 1.0, K)]

    def trainer(log: LogWriter):
        model = tiny_model()
        model.config._name_or_path = str(tmp_path / "model")  # where TRL finds the reference
        return make_trainer(
            byte_level(), functions, log, reward_weights=[0.0, 0.0, 1.0, 1.0], model=model, peft_config=LORA if lora else None,
            end_credit=True, beta=0.1, num_iterations=mu, max_steps=6, save_strategy="steps", save_steps=stop,
            gradient_accumulation_steps=2, lr_scheduler_type="cosine", rows=5,
        )  # fmt: skip

    weights = {"w_rel": 0.0, "w_safe": 0.0, "lambda_end": 1.0, "own_weights": {"variety": 1.0}}
    log = LogWriter(tmp_path / "log", {"kind": "train", "rec_num": K, "num_generations": 2, **weights})
    whole = trainer(log)
    whole.train()
    expected, expected_steps = written(log), log.steps()
    shutil.move(tmp_path / "out" / "checkpoint-6", tmp_path / "never-stopped")
    log.close()

    log = LogWriter.resume(tmp_path / "log", log.run_id)
    log.truncate_after(stop)
    assert log.steps() == [s for s in expected_steps if s <= stop]
    resumed = trainer(log)
    resumed.train(resume_from_checkpoint=str(tmp_path / "out" / f"checkpoint-{stop}"))

    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name
    a, b = (torch.load(f / "optimizer.pt") for f in (tmp_path / "never-stopped", tmp_path / "out" / "checkpoint-6"))
    assert a["param_groups"] == b["param_groups"] and a["state"]
    assert all(torch.equal(a["state"][p][n], b["state"][p][n]) for p in a["state"] for n in a["state"][p])
    assert log.steps() == expected_steps == list(range(1, 7, mu))
    assert len(whole._evasion.first) == len(expected_steps)
    assert repr(resumed._evasion) == repr(whole._evasion)  # rates of no films are NaN, which equals nothing
    for name, table in written(log).items():
        assert table.equals(expected[name])
    timed = ("time", "runtime", "per_second", "flos")
    histories = [
        [{k: v for k, v in line.items() if not any(t in k for t in timed)} for line in t.state.log_history]
        for t in (whole, resumed)
    ]
    assert [line["step"] for line in histories[1]] == [1, 2, 3, 4, 5, 6, 6]
    whole_lines, resumed_lines = (json.dumps(h[:-1], sort_keys=True) for h in histories)
    assert whole_lines == resumed_lines  # the last line sums up the process, not the run


def test_the_steps_behind_the_last_line_are_logged_once_evaluated_or_gone_on_with(make_trainer, tmp_path):
    """5 steps in lines of 3: what the last two gathered is neither evaluation's, nor kept for a longer run to log again."""
    asked = "select step, lists from loss_by_rank where rank = 1 order by step"
    options = dict(
        logging_steps=3, save_strategy="steps", save_steps=5, eval_strategy="steps", eval_steps=5, eval_rows=1
    )
    log = LogWriter(tmp_path / "log", {"kind": "train", "rec_num": K, "num_generations": 2})

    def trained(log: LogWriter, steps: int, **resumed) -> tuple[list[tuple], list[int]]:
        trainer = make_trainer(byte_level(), None, log, max_steps=steps, per_device_eval_batch_size=2, **options)
        answer_with(trainer, [SAFE, UNSAFE_AT_3])
        trainer.train(**resumed)
        log.close()
        with open_log(tmp_path / "log") as connection:
            lines = [line["step"] for line in trainer.state.log_history if "svr" in line]
            return connection.sql(asked).fetchall(), lines

    assert trained(log, 5) == ([(3, 6), (5, 4)], [3, 5])
    again = LogWriter.resume(tmp_path / "log", log.run_id)
    again.truncate_after(5)
    rows, lines = trained(again, 8, resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-5"))
    assert rows == [(3, 6), (5, 4), (6, 2), (8, 4)] and lines == [3, 5, 6, 8]


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({"eval_strategy": "epoch", "eval_rows": 1, "logging_steps": 9}, ["svr", "eval_svr"]),
        ({"logging_strategy": "epoch"}, ["svr"]),
    ],
)
@pytest.mark.parametrize(("steps", "ends"), [(4, [4]), (6, [4, 6])])
def test_a_checkpoint_at_the_end_of_an_epoch_has_what_is_made_there(
    make_trainer, tmp_path, steps, ends, options, lines
):
    """Epochs of 4 steps. Who goes on from it logs none of them again, and lacks no evaluation."""
    log = LogWriter(tmp_path / "log", {"kind": "train", "rec_num": K, "num_generations": 2})
    saves = {"save_strategy": "steps", "save_steps": 1, "per_device_eval_batch_size": 2}
    trainer, saved = make_trainer(byte_level(), None, log, max_steps=steps, **saves, **options), []

    class Seen(TrainerCallback):
        def on_save(self, args, state, *_, **__):
            saved.append(state.global_step)

    trainer.add_callback(Seen)
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    trainer.train()
    log.close()
    assert saved == [*range(1, steps + 1)]  # once each
    for kind in lines:
        made = [line["step"] for line in trainer.state.log_history if kind in line]
        assert made == ends
        for step in range(1, steps + 1):
            state = TrainerState.load_from_json(tmp_path / "out" / f"checkpoint-{step}" / "trainer_state.json")
            assert [line["step"] for line in state.log_history if kind in line] == [s for s in made if s <= step]

    again = LogWriter.resume(tmp_path / "log", log.run_id)
    again.truncate_after(4)
    longer = make_trainer(byte_level(), None, again, max_steps=8, **saves, **options)
    answer_with(longer, [SAFE, UNSAFE_AT_3])
    longer.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-4"))
    again.close()
    with open_log(tmp_path / "log") as connection:
        asked = "select step, lists from loss_by_rank where rank = 1 order by step"
        assert connection.sql(asked).fetchall() == [(4, 8), (8, 8)]


UNSAFE_FIRST = [[UNSAFE_AT_3] * 2, [UNSAFE_AT_3, SAFE], [SAFE, "1. Up (2009)"], [SAFE] * 2]
GATHERED = ["metrics", "rank_sums", "processes", "counts"]


@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize("mu", [1, 2])
def test_a_line_of_metrics_is_of_all_its_steps_wherever_the_run_was_stopped(make_trainer, tmp_path, mu, stop):
    def line_of(log: LogWriter, done: int = 0, **resumed) -> tuple[dict, pl.DataFrame]:
        """What trackers and the log have of the 4 steps, without times and the loss, which is transformers'."""
        options = dict(max_steps=4, logging_steps=4, save_strategy="steps", save_steps=1)
        trainer = make_trainer(byte_level(), None, log, num_iterations=mu, **options)
        answer_with(trainer, *UNSAFE_FIRST[-(-done // mu) :])
        trainer.train(**resumed)
        log.close()
        line, _ = trainer.state.log_history
        with open_log(tmp_path / "log") as connection:
            by_rank = connection.table("loss_by_rank").pl().sort("rank")
        return {k: v for k, v in line.items() if k not in ("loss", "step_time")}, by_rank

    log = LogWriter(tmp_path / "log", {"kind": "train", "rec_num": K, "num_generations": 2})
    whole, whole_by_rank = line_of(log)
    unsafe, listed = (3, 6 + 6 + 4 + 6) if mu == 1 else (3, 6 + 6)
    assert whole["svr"] == pytest.approx(unsafe / listed)
    assert whole_by_rank["step"].to_list() == [4] * K and whole_by_rank["lists"][0] == 8
    checkpoint = tmp_path / "out" / f"checkpoint-{stop}"

    def resumed() -> tuple[dict, pl.DataFrame]:
        again = LogWriter.resume(tmp_path / "log", log.run_id)
        again.truncate_after(stop)
        return line_of(again, stop, resume_from_checkpoint=str(checkpoint))

    line, by_rank = resumed()
    assert line == pytest.approx(whole) and by_rank.equals(whole_by_rank)

    # A checkpoint of before lacks all that: the line is of the steps since.
    state = torch.load(checkpoint / "rollouts_0.pt")
    torch.save({name: value for name, value in state.items() if name not in GATHERED}, checkpoint / "rollouts_0.pt")
    line, by_rank = resumed()
    assert by_rank["lists"][0] == 2 * (4 - stop)
    assert line.get("svr", 0) < whole["svr"]


def saving_trainer(make_trainer, mu: int):
    options = dict(num_iterations=mu, max_steps=2, save_strategy="steps", save_steps=1)
    return make_trainer(byte_level(), [variety], **options)


def test_a_checkpoint_has_its_rollouts_before_it_counts_as_whole(make_trainer, monkeypatch):
    there = []
    parent = TrainerState.save_to_json

    def save(self, path):
        there.append((Path(path).parent / "rollouts_0.pt").exists())
        parent(self, path)

    monkeypatch.setattr(TrainerState, "save_to_json", save)
    saving_trainer(make_trainer, 2).train()
    assert there == [True, True]


def test_rollouts_that_are_half_written_are_none(make_trainer, tmp_path, monkeypatch):
    def full_disk(state, path):
        Path(path).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        saving_trainer(make_trainer, 2).train()
    assert [p.name for p in (tmp_path / "out" / "checkpoint-1").iterdir()] == ["rollouts_0.pt.part"]


def test_a_run_that_uses_its_batches_again_is_not_resumed_without_its_rollouts(make_trainer, tmp_path):
    saving_trainer(make_trainer, 2).train()
    saved = tmp_path / "out" / "checkpoint-1"
    (saved / "rollouts_0.pt").unlink()
    with pytest.raises(
        UserError, match=r"checkpoint-1/rollouts_0.pt: not there, but .* for several steps: resume from"
    ):
        saving_trainer(make_trainer, 2).train(resume_from_checkpoint=str(saved))


def test_answers_still_to_be_used_are_not_gone_on_with_where_they_lack_what_training_now_needs(make_trainer, tmp_path):
    tiny_model().save_pretrained(tmp_path / "model")

    def resumed(step: int, **changed):
        model = tiny_model()
        model.config._name_or_path = str(tmp_path / "model")
        options = dict(num_iterations=2, max_steps=4, model=model) | changed
        trainer = make_trainer(byte_level(), [variety], **options)
        trainer.train(resume_from_checkpoint=str(tmp_path / "out" / f"checkpoint-{step}"))
        return trainer.state.global_step

    saving_trainer(make_trainer, 2).train()
    for changed in ({"beta": 0.1}, {"num_iterations": 4}):
        with pytest.raises(UserError, match=r"still to be used, made for other (kl_beta|steps)"):
            resumed(1, **changed)
        assert resumed(2, **changed) == 4  # all of them have been used there


@pytest.mark.parametrize("content", [b"", b"not one", b"PK\x03\x04"])
def test_rollouts_that_cannot_be_read_are_named(make_trainer, tmp_path, content):
    saving_trainer(make_trainer, 2).train()
    saved = tmp_path / "out" / "checkpoint-1"
    (saved / "rollouts_0.pt").write_bytes(content)
    with pytest.raises(
        UserError, match=r"checkpoint-1/rollouts_0.pt: can't be read; without .*checkpoint-1, the one before"
    ):
        saving_trainer(make_trainer, 2).train(resume_from_checkpoint=str(saved))


def test_a_run_that_samples_at_each_step_is_resumed_without_its_rollouts(make_trainer, tmp_path):
    saving_trainer(make_trainer, 1).train()
    saved = tmp_path / "out" / "checkpoint-1"
    (saved / "rollouts_0.pt").unlink()
    resumed = saving_trainer(make_trainer, 1)
    resumed.train(resume_from_checkpoint=str(saved))
    assert resumed.state.global_step == 2
