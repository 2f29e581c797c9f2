"""The trainer through TRL's real loss: exact credit, the rank's importance ratio, and the log that it leaves."""

import duckdb
import numpy as np
import pytest
import torch

from oracle import UserError
from oracle.log import LogWriter
from tests.trainer.drive import SAFE, UNSAFE_AT_3, G, K, answer_with, gradient_of_logps, logps_of, scored, tiny_model
from tests.trainer.tokenizers import FAMILIES, byte_level
from trainer import RankGRPOConfig, RankGRPOTrainer
from trainer.rewards import (
    make_end_func,
    make_relevance_func,
    make_repeat_func,
    make_safe_reward_func,
    make_safety_func,
)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
@pytest.mark.parametrize("loss", ["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"])
def test_if_only_rank_3_differs_the_gradient_outside_it_is_exactly_zero(make_trainer, family, mode, loss):
    trainer = make_trainer(FAMILIES[family](), advantage_mode=mode, loss_type=loss, epsilon_high=5.0)
    out = scored(trainer, [SAFE, UNSAFE_AT_3])
    gradient = gradient_of_logps(trainer, out)
    in_rank = out["rank_ids"] == 2
    assert (gradient[~in_rank] == 0).all()
    assert (gradient[in_rank] != 0).all()
    assert (gradient[1][in_rank[1]] > 0).all() and (gradient[0][in_rank[0]] < 0).all()  # the unsafe film goes down


def test_with_end_credit_an_early_end_is_pushed_down_and_nothing_else(make_trainer, annotator, tmp_path):
    trainer = make_trainer(byte_level(), [make_end_func(annotator, 1.0, K)], end_credit=True)
    out = scored(trainer, [SAFE, "\n".join(SAFE.splitlines()[:2])])
    gradient = gradient_of_logps(trainer, out)
    end = out["completion_ids"][1].tolist().index(trainer.processing_class.eos_token_id)
    assert gradient[1, end] > 0
    assert (gradient[out["rank_ids"] != 2] == 0).all()


def direct_item_level_loss(logps, old, ranks, advantages, mask, low, high, loss="grpo", longest=0):
    """The objective of Rank-GRPO's public code: one clipped ratio a rank, with gradient through its mean, which each token
    of the rank has once (the paper's mean over ranks is in test_weighting.py); and the other losses, with that ratio."""
    per_token = torch.zeros_like(logps)
    for b in range(len(logps)):
        for rank in set(ranks[b].tolist()):
            where = ranks[b] == rank
            log_ratio = (logps[b] - old[b])[where]
            ratio = torch.exp(log_ratio.mean()) if rank >= 0 else torch.exp(log_ratio)
            a = advantages[b][where]
            if loss == "cispo":
                per_token[b, where] = -ratio.clamp(max=high).detach() * a * logps[b, where]
            elif loss == "sapo":
                temperature = torch.where(a > 0, 1.0, 1.05)
                per_token[b, where] = -torch.sigmoid(temperature * (ratio - 1)) * 4 / temperature * a
            else:
                per_token[b, where] = -torch.min(ratio * a, ratio.clamp(1 - low, 1 + high) * a)
    if loss in ("grpo", "sapo"):
        return ((per_token * mask).sum(-1) / mask.sum(-1)).mean()
    return (per_token * mask).sum() / (len(logps) * longest if loss == "dr_grpo" else mask.sum())


@pytest.mark.parametrize("loss", ["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"])
@pytest.mark.parametrize("staleness", [0.05, 0.5, 2.0])
def test_the_ratio_of_a_rank_is_the_geometric_mean_of_its_tokens_in_value_and_gradient(make_trainer, staleness, loss):
    high = {"epsilon_high": 1.5} if loss == "cispo" else {}
    trainer = make_trainer(byte_level(), loss_type=loss, num_iterations=4, **high)
    out = scored(trainer, ["1. Saw (2004)\n2. Frozen (2013)\n3. Alien (1979)", UNSAFE_AT_3])
    mask = out["completion_mask"].float()
    noise = torch.randn(mask.shape, generator=torch.Generator().manual_seed(0))
    logps = logps_of(trainer.model, out)
    out["old_per_token_logps"] = logps.detach() + staleness * noise
    direct = direct_item_level_loss(
        logps, out["old_per_token_logps"], out["rank_ids"], out["advantages"], mask, trainer.epsilon_low,
        trainer.epsilon_high, loss, longest=40,
    )  # fmt: skip
    expected = torch.autograd.grad(direct, list(trainer.model.parameters()))
    value = trainer.compute_loss(trainer.model, out)
    found = torch.autograd.grad(value, list(trainer.model.parameters()))
    assert value.item() == pytest.approx(direct.item(), abs=1e-5)
    # float32, with terms that cancel: the exact identity is tested in test_ratio.py.
    assert all((a - b).norm() <= 1e-4 * b.norm() + 1e-6 for a, b in zip(found, expected, strict=True))


def test_four_passes_over_stale_answers_take_the_clipped_steps_of_the_ratio_written_out(make_trainer):
    """mu = 4: the policy of passes 2 to 4 is not the one that answered; every loss is recomputed by hand."""
    trainer = make_trainer(
        byte_level(), loss_type="grpo", num_iterations=4, max_steps=4, optim="sgd", learning_rate=8.0, max_grad_norm=0.0
    )
    answer_with(trainer, ["1. Saw (2004)\n2. Frozen (2013)\n3. Alien (1979)", UNSAFE_AT_3])
    parent, steps = trainer.compute_loss, []

    def checked(model, inputs, **kwargs):
        loss, logps, old = (
            parent(model, inputs, **kwargs),
            logps_of(model, inputs),
            inputs["old_per_token_logps"],
        )
        mask, limits = inputs["completion_mask"].float(), (trainer.epsilon_low, trainer.epsilon_high)
        direct = direct_item_level_loss(logps, old, inputs["rank_ids"], inputs["advantages"], mask, *limits)
        free = direct_item_level_loss(logps, old, inputs["rank_ids"], inputs["advantages"], mask, 1.0, torch.inf)
        steps.append((loss.item(), direct.item(), free.item(), (logps - old).abs().max().item()))
        gradients = [torch.autograd.grad(x, model.parameters(), retain_graph=True) for x in (loss, direct)]
        assert all((a - b).norm() <= 1e-4 * b.norm() + 1e-6 for a, b in zip(*gradients, strict=True))
        return loss

    trainer.compute_loss = checked
    trainer.train()
    losses, directs, unclipped, staleness = zip(*steps, strict=True)
    assert losses == pytest.approx(directs, abs=1e-5)
    assert staleness[0] < 1e-5 and min(staleness[1:]) > 0.01
    assert max(abs(a - b) for a, b in zip(directs, unclipped, strict=True)) > 1e-3  # clipping was at work
    assert trainer.state.log_history[-2]["clip_ratio/region_mean"] > 0


def test_the_clip_ratio_that_trackers_see_counts_whole_ranks(make_trainer):
    trainer = make_trainer(byte_level(), loss_type="grpo", num_iterations=4)
    out = scored(trainer, [SAFE, UNSAFE_AT_3])
    with torch.no_grad():
        logps = logps_of(trainer.model, out)
    in_rank = out["rank_ids"] == 2
    first = torch.zeros_like(logps)
    first[1, in_rank[1].nonzero()[0]] = 10.0  # one token of the unsafe rank was far more likely when it was written
    out["old_per_token_logps"] = logps + first
    trainer.compute_loss(trainer.model, out)
    clipped = trainer._metrics["train"]["clip_ratio/low_mean"][-1]
    assert clipped == pytest.approx((in_rank[1].sum() / out["completion_mask"].sum()).item())


def test_training_moves_the_weights_and_logs_each_step_once(make_trainer, annotator, tmp_path):
    run = {"kind": "train", "rec_num": K, "num_generations": G, "lambda_end": 1.0, "lambda_repeat": 1.0}
    log = LogWriter(tmp_path / "store.log", run)
    functions = [
        make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K), make_end_func(annotator, 1.0, K),
        make_repeat_func(annotator, 1.0, K),
    ]  # fmt: skip
    trainer = make_trainer(byte_level(), functions, log, end_credit=True, beta=0.0)
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    before = [p.clone() for p in trainer.model.parameters()]
    trainer.train()
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    assert log.steps() == [1, 2]
    verdicts = duckdb.sql(f"from read_parquet('{log.folder}/step-*/verdicts.parquet')")
    assert verdicts.aggregate("count(*), count(distinct completion), max(rank)").fetchall() == [
        (2 * G * (K + 1), G, K + 1)
    ]
    metrics = trainer.state.log_history[0]
    assert {
        "svr",
        "unresolved_rate",
        "films_per_list",
        "duplicate_rate",
        "hit_rate",
        "rewards/safety/mean",
        "entropy",
    } <= metrics.keys()


def test_the_advantages_in_the_log_are_those_of_the_tokens(make_trainer, tmp_path):
    log = LogWriter(tmp_path / "store.log", {"kind": "train", "rec_num": K, "num_generations": G})
    trainer = make_trainer(byte_level(), log=log)
    out = scored(trainer, [SAFE, UNSAFE_AT_3])
    rows = duckdb.sql(
        f"select completion, rank, advantage, r_safe, n_tokens from read_parquet('{log.folder}/*/verdicts.parquet')"
    )
    for completion, rank, advantage, r_safe, n_tokens in rows.fetchall():
        tokens = out["rank_ids"][completion] == rank - 1
        assert n_tokens == tokens.sum()
        assert np.allclose(out["advantages"][completion][tokens], advantage, atol=1e-6)
        assert r_safe == (-1.0 if (completion, rank) == (1, 3) else 0.0)


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
def test_training_with_lambda_zero_is_plain_rank_grpo(make_trainer, annotator, mode):
    weights = []
    relevance, free = make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, lambda_safe=0.0, rec_num=K)
    for functions in ([relevance], [relevance, free]):
        trainer = make_trainer(byte_level(), functions, advantage_mode=mode)
        answer_with(trainer, ["1. Frozen (2013)\n2. Saw (2004)", UNSAFE_AT_3])
        start = [p.clone() for p in trainer.model.parameters()]
        trainer.train()
        weights.append([p.detach() for p in trainer.model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(start, weights[0], strict=True))


@pytest.mark.parametrize(
    "option",
    [
        {"importance_sampling_level": "sequence"}, {"top_entropy_quantile": 0.5}, {"use_bias_correction_kl": True},
        {"loss_type": "luspo"}, {"loss_type": "cispo"}, {"sync_ref_model": True}, {"log_completions": True}, {"enable_jit_checkpoint": True}, {"advantage_mode": "ppo"}, {"mask_truncated_completions": True}, {"rec_num": 0},
        {"rec_num": 32768}, {"rec_num": 32767, "end_credit": True},
    ],
)  # fmt: skip
def test_options_that_ranks_cannot_honour_are_refused(make_trainer, option, tmp_path):
    with pytest.raises(UserError, match=next(iter(option))):
        RankGRPOConfig(output_dir=str(tmp_path), report_to="none", use_cpu=True, **option)


@pytest.mark.parametrize("option", ["tools", "rollout_func", "environment_factory"])
def test_what_puts_foreign_text_into_answers_is_refused(option):
    with pytest.raises(UserError, match=f"{option}: puts text that the policy did not write"):
        RankGRPOTrainer(tiny_model(), [], RankGRPOConfig(report_to="none", use_cpu=True), **{option: [print]})


def test_rewards_that_the_log_cannot_tell_apart_are_refused_before_training(make_trainer, annotator, tmp_path):
    log = LogWriter(tmp_path / "store.log", {"kind": "train", "rec_num": K, "num_generations": G})
    twice = [make_relevance_func(annotator, rec_num=K), make_relevance_func(annotator, "suffix_dcg", rec_num=K)]
    with pytest.raises(UserError, match="two reward functions are called 'relevance'"):
        make_trainer(byte_level(), twice)
    with pytest.raises(UserError, match="two reward functions are called 'relevance'"):  # one of them a part of the sum
        make_trainer(byte_level(), [twice[0], make_safe_reward_func(annotator, rec_num=K)], log)


def test_rewards_of_whole_answers_are_refused(make_trainer):
    with pytest.raises(ValueError, match=r"rewards of shape \(2,\): expected \(completions, ranks\)"):
        scored(make_trainer(byte_level(), [lambda completions, **_: [1.0] * len(completions)]), [SAFE, UNSAFE_AT_3])


def test_evaluation_stays_out_of_the_log_even_where_trl_leaves_the_model_in_training(make_trainer, tmp_path):
    """As its continuous batching does."""
    log = LogWriter(tmp_path / "store.log", {"kind": "train", "rec_num": K, "num_generations": G})
    trainer = make_trainer(byte_level(), log=log, per_device_eval_batch_size=2)
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    sample = trainer._generate_single_turn
    trainer._generate_single_turn = lambda *args: (trainer.model.train(), sample(*args))[1]
    assert trainer.evaluate(trainer.train_dataset.select([0])) is not None
    assert log.steps() == []
    assert trainer.state.log_history[-1]["eval_svr"] == pytest.approx(1 / 6)
    trainer.train()
    assert log.steps() == [1, 2]


def test_a_reward_with_more_slots_than_the_trainer_has_is_refused(make_trainer, annotator):
    with pytest.raises(ValueError, match="end_credit=True"):
        scored(make_trainer(byte_level(), [make_end_func(annotator, 1.0, K)]), [SAFE, UNSAFE_AT_3])


def test_plain_functions_of_ranks_train_without_an_oracle(make_trainer):
    def longest_title(completions, **_):
        return [[float(len(line)) for line in (c.split("\n") + [""] * K)[:K]] for c in completions]

    out = scored(make_trainer(byte_level(), [longest_title]), [SAFE, UNSAFE_AT_3])
    assert (out["advantages"][out["rank_ids"] != 2] == 0).all()
    assert (out["advantages"][out["rank_ids"] == 2] != 0).all()
