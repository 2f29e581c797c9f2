"""Groups that teach nothing, ranks that a list doesn't have, and what trackers see by rank."""

import math

import pytest
import torch
from transformers import MixtralConfig

from oracle import UserError
from oracle.log import LogWriter, open_log
from tests.trainer.drive import SAFE, UNSAFE_AT_3, G, answer_with, gradient_of_logps, scored, tiny_model
from tests.trainer.tokenizers import byte_level
from trainer import RankGRPOConfig
from trainer.config import check_router
from trainer.rewards import make_end_func

K = 3
TWO_FILMS = "1. Up (2009)\n2. Frozen (2013)"


def gradient(trainer, out) -> list[torch.Tensor]:
    trainer.model.zero_grad()
    trainer.compute_loss(trainer.model, out).backward()
    return [p.grad.clone() for p in trainer.model.parameters()]


@pytest.mark.parametrize("weighting", ["token", "rank"])
@pytest.mark.parametrize("loss", ["grpo", "bnpo", "dr_grpo", "dapo"])
@pytest.mark.parametrize("answers", [[TWO_FILMS, TWO_FILMS, SAFE, UNSAFE_AT_3], [TWO_FILMS] * 4])
def test_without_its_silent_groups_a_batch_has_the_same_gradient(make_trainer, loss, weighting, answers):
    found, rows = [], []
    for silent_groups in ("keep", "drop"):
        trainer = make_trainer(
            byte_level(), loss_type=loss, rank_weighting=weighting, silent_groups=silent_groups, num_iterations=2,
            per_device_train_batch_size=4,
        )  # fmt: skip
        out = scored(trainer, answers)
        out["old_per_token_logps"] += 0.3 * torch.randn(
            out["old_per_token_logps"].shape, generator=torch.Generator().manual_seed(0)
        )
        forward = trainer.model.forward
        trainer.model.forward = lambda *a, **k: (rows.append(len(k["input_ids"])), forward(*a, **k))[1]  # noqa: B023
        found.append(gradient(trainer, out))
    assert rows == [4, 2 if answers[2] == SAFE else 1]
    assert all((a - b).norm() <= 1e-4 * a.norm() + 1e-8 for a, b in zip(*found, strict=True))
    assert (answers[2] == SAFE) == any((g != 0).any() for g in found[1])


def test_training_without_silent_groups_goes_where_training_with_them_goes(make_trainer):
    ends = []
    for silent_groups in ("keep", "drop"):
        trainer = make_trainer(byte_level(), silent_groups=silent_groups, gradient_accumulation_steps=2, rows=8)
        answer_with(trainer, [TWO_FILMS, TWO_FILMS, SAFE, UNSAFE_AT_3])
        trainer.train()
        ends.append([p.detach() for p in trainer.model.parameters()])
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*ends, strict=True))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"silent_groups": "drop", "beta": 0.1}, r"silent_groups='drop' with beta=0\.1"),
        ({"silent_groups": "drop", "entropy_coef": 0.01}, "silent_groups='drop' with an entropy bonus"),
        ({"silent_groups": "drop", "use_adaptive_entropy": True}, "silent_groups='drop' with an entropy bonus"),
        ({"silent_groups": "resample"}, "expected keep or drop"),
        ({"missing_ranks": "nan"}, "expected zero or leave_out"),
    ],
)
def test_what_would_change_the_gradient_is_refused(options, said, tmp_path):
    with pytest.raises(UserError, match=said):
        RankGRPOConfig(str(tmp_path), report_to="none", use_cpu=True, **options)


def test_silent_answers_that_balance_the_load_of_experts_are_not_dropped(tmp_path):
    experts = MixtralConfig(router_aux_loss_coef=0.02)
    for options in ({}, {"router_aux_loss_coef": 0.001}):
        dropping = RankGRPOConfig(str(tmp_path), report_to="none", use_cpu=True, silent_groups="drop", **options)
        with pytest.raises(UserError, match=r"with router_aux_loss_coef=0\.0.*set router_aux_loss_coef=0"):
            check_router(dropping, experts)
    off = RankGRPOConfig(str(tmp_path), report_to="none", use_cpu=True, silent_groups="drop", router_aux_loss_coef=0.0)
    check_router(off, experts)
    check_router(dropping, tiny_model().config)
    check_router(RankGRPOConfig(str(tmp_path), report_to="none", use_cpu=True), experts)


@pytest.mark.parametrize("missing", ["zero", "leave_out"])
def test_a_missing_rank_counts_as_zero_or_not_at_all(make_trainer, missing):
    """Of three lists one has no rank 3: -1, 0 and 0, or -1 and 0 alone."""
    trainer = make_trainer(byte_level(), missing_ranks=missing, num_generations=3, per_device_train_batch_size=3)
    out = scored(trainer, [UNSAFE_AT_3, SAFE, TWO_FILMS])
    unsafe = out["advantages"][0][out["rank_ids"][0] == 2][0].item()
    # -2/3 by a deviation of 1/sqrt(3); -1/2 by one of 1/sqrt(2)
    assert unsafe == pytest.approx(-(2 / 3) / (1 / 3) ** 0.5 if missing == "zero" else -0.5 / 0.5**0.5, abs=1e-3)


def test_a_list_pays_for_its_early_end_where_ranks_that_are_missing_are_left_out(make_trainer, annotator):
    """The end stands in place of the first missing rank: -1, beside 0 of the list that goes on there."""
    functions = [make_end_func(annotator, 1.0, K)]
    trainer = make_trainer(byte_level(), functions, missing_ranks="leave_out", end_credit=True)
    out = scored(trainer, [TWO_FILMS, SAFE])
    at_end = out["advantages"][0][out["rank_ids"][0] == 2]
    assert at_end.numel() and at_end.tolist() == pytest.approx([-0.5 / 0.5**0.5] * at_end.numel(), abs=1e-3)


def test_ratios_clipping_and_kl_by_rank_are_those_of_the_loss(make_trainer, tmp_path):
    log = LogWriter(tmp_path / "store.log", {"kind": "train", "rec_num": 4, "num_generations": G})
    model = tiny_model()
    model.save_pretrained(tmp_path / "model")
    model.config._name_or_path = str(tmp_path / "model")
    trainer = make_trainer(byte_level(), model=model, log=log, loss_type="grpo", num_iterations=2, beta=0.1, rec_num=4)
    out = scored(trainer, [SAFE, UNSAFE_AT_3])
    # Rank 3 of the unsafe answer was likelier by e^0.5 when it was written: 0.61, below 0.8, and it is pushed down.
    third = out["rank_ids"][1] == 2
    out["old_per_token_logps"][1, third] += 0.5
    out["ref_per_token_logps"][1, third] += 0.2
    gradient_of_logps(trainer, out)
    logs: dict = {}
    trainer.log(logs)
    assert logs["ratio/rank_1"] == pytest.approx(1, abs=1e-4) and logs["clip_ratio/rank_1"] == 0
    assert logs["ratio/rank_3"] == pytest.approx((1 + 2.718281828**-0.5) / 2, abs=1e-4)
    assert logs["clip_ratio/rank_3"] == 0.5
    assert logs["kl/rank_3"] == pytest.approx((2.718281828**0.2 - 0.2 - 1) / 2, abs=1e-5)
    assert logs["kl/rank_1"] == pytest.approx(0, abs=1e-7)
    assert "ratio/rank_4" not in logs  # no list has one
    trainer.state.global_step = 1
    trainer.log({})  # nothing new since
    with open_log(log.folder.parent) as connection:
        rows = connection.sql(
            "select run_id, step, rank, lists, ratio, clip_ratio, kl from loss_by_rank order by rank"
        ).fetchall()
        assert [row[:4] for row in rows] == [(log.run_id, 0, rank, 2) for rank in (1, 2, 3)]
        assert rows[2][4:] == pytest.approx([logs[f"{name}/rank_3"] for name in ("ratio", "clip_ratio", "kl")])


def test_a_list_that_runs_on_pays_beside_one_that_ended_early_where_ranks_that_are_missing_are_left_out(
    make_trainer, annotator
):
    """What stands behind rank K is no rank that could be missing: -1 of the overlong list, beside 0."""
    functions = [make_end_func(annotator, 1.0, K)]
    trainer = make_trainer(byte_level(), functions, missing_ranks="leave_out", end_credit=True)
    out = scored(trainer, [TWO_FILMS, f"{SAFE}\n4. Saw (2004)"])
    beyond = out["advantages"][1][out["rank_ids"][1] == K]
    assert beyond.numel() and beyond.tolist() == pytest.approx([-0.5 / 0.5**0.5] * beyond.numel(), abs=1e-3)


@pytest.mark.parametrize(
    ("loss", "raised", "lowered", "clipped"),
    [
        ("dapo", 1.3, 1.0, 0.5), ("dapo", 1.1, 1.0, 0.0), ("dapo", 1.0, 0.7, 0.5), ("dapo", 0.7, 1.3, 0.0),
        ("cispo", 1.6, 1.0, 0.5), ("cispo", 1.4, 0.5, 0.0), ("sapo", 1.6, 0.5, 0.0),
    ],
)  # fmt: skip
def test_the_share_that_is_clipped_is_that_of_each_loss(make_trainer, loss, raised, lowered, clipped):
    """Ratios of rank 3: of the answer that is raised there, and of the one that is lowered."""
    high = {"epsilon_high": 1.5} if loss == "cispo" else {}  # where cispo caps the ratio
    trainer = make_trainer(byte_level(), loss_type=loss, num_iterations=2, **high)
    out = scored(trainer, [SAFE, UNSAFE_AT_3])
    for row, ratio in enumerate((raised, lowered)):
        out["old_per_token_logps"][row, out["rank_ids"][row] == 2] -= math.log(ratio)
    trainer.compute_loss(trainer.model, out)
    trainer.log(logs := {})
    assert logs["ratio/rank_3"] == pytest.approx((raised + lowered) / 2, abs=1e-4)
    assert (logs["clip_ratio/rank_3"], logs["clip_ratio/rank_1"]) == (clipped, 0.0)


def test_without_silent_groups_what_the_loss_made_of_a_rank_is_of_the_answers_that_were_trained_on(make_trainer):
    """Rank 3 of one answer is clipped: one of four, or one of two where the silent group is left out."""
    made = {}
    for how in ("keep", "drop"):
        trainer = make_trainer(byte_level(), loss_type="grpo", num_iterations=2, silent_groups=how)
        out = scored(trainer, [SAFE, UNSAFE_AT_3, SAFE, SAFE])
        out["old_per_token_logps"][1, out["rank_ids"][1] == 2] += math.log(2)
        trainer.compute_loss(trainer.model, out)
        lists = trainer._rank_sums["train"][0].tolist()
        trainer.log(logs := {})
        made[how] = (lists, pytest.approx(logs["ratio/rank_3"], abs=1e-4), logs["clip_ratio/rank_3"])
    assert made == {"keep": ([4] * K, (3 + 0.5) / 4, 1 / 4), "drop": ([2] * K, (1 + 0.5) / 2, 1 / 2)}


def test_an_evaluation_between_two_lines_has_ratios_of_its_own(make_trainer):
    trainer = make_trainer(byte_level(), num_iterations=2)
    out = scored(trainer, [SAFE, UNSAFE_AT_3])
    stale = {**out, "old_per_token_logps": out["old_per_token_logps"] - math.log(2)}
    trainer.compute_loss(trainer.model, stale)
    trainer.model.eval()
    trainer.compute_loss(trainer.model, out)
    trainer.log(evaluation := {})
    trainer.model.train()
    trainer.log(training := {})
    assert training["ratio/rank_1"] == pytest.approx(2, abs=1e-3)
    assert evaluation["eval_ratio/rank_1"] == pytest.approx(1, abs=1e-3)


def test_the_loss_by_rank_is_logged_once_a_line_and_dropped_behind_a_checkpoint(make_trainer, tmp_path):
    log = LogWriter(tmp_path / "store.log", {"kind": "train", "rec_num": K, "num_generations": G})
    trainer = make_trainer(byte_level(), log=log, max_steps=4, logging_steps=2, per_device_eval_batch_size=2)
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    trainer.train()
    trainer.evaluate(trainer.train_dataset.select([0]))
    asked = "select step, sum(lists), count(kl) from loss_by_rank group by step order by step"
    with open_log(log.folder.parent) as connection:
        assert connection.sql(asked).fetchall() == [
            (2, 12, 0),
            (4, 12, 0),
        ]  # two lists of three ranks a step; no KL term
        log.truncate_after(3)
        assert connection.sql(asked).fetchall() == [(2, 12, 0)]
