"""The correction for what vLLM says that it sampled with: one a rank, and refused where it can't be right."""

import math

import pytest
import torch

from oracle import UserError
from tests.trainer.drive import gradient_of_logps, logps_of
from tests.trainer.engine import off_by, unknown_at
from trainer import RankGRPOConfig
from trainer.ratio import corrections, generator_log_ratios

MODES = ["sequence_mask", "sequence_truncate", "token_mask", "token_truncate"]


def scored_by_engine(trainer) -> dict:
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer._generate_and_score_completions([trainer.train_dataset[0]] * 2)


def corrected_by_hand(out: dict, policy: torch.Tensor, mode: str, low: float, high: float) -> torch.Tensor:
    """(B, T) ratios, rank by rank in plain Python; 1 for tokens of no rank."""
    expected = torch.ones_like(policy)
    for b, row in enumerate(out["rank_ids"].tolist()):
        for t, rank in enumerate(row):
            if rank < 0:
                continue
            where = [i for i, r in enumerate(row) if r == rank] if mode.startswith("sequence") else [t]
            gaps = [(policy[b, i] - out["sampling_per_token_logps"][b, i]).item() for i in where]
            ratio = math.exp(sum(gaps) / len(gaps))
            inside = low <= ratio <= high
            expected[b, t] = ratio if inside else 0.0 if mode.endswith("mask") else min(max(ratio, low), high)
    return expected


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loss", ["grpo", "dapo"])
def test_the_gradient_of_a_token_is_its_advantage_times_the_correction_of_its_rank(make_vllm_trainer, mode, loss):
    low, high = 0.97, 1.05
    trainer = make_vllm_trainer(
        vllm_importance_sampling_mode=mode, loss_type=loss, vllm_importance_sampling_clip_min=low,
        vllm_importance_sampling_clip_max=high,
    )  # fmt: skip
    off_by(trainer.vllm_generation, 0.2, seed=3)
    out = scored_by_engine(trainer)
    with torch.no_grad():
        expected = corrected_by_hand(out, logps_of(trainer.model, out), mode, low, high)
    ranked = out["rank_ids"] >= 0
    assert torch.allclose(out["importance_sampling_ratio"][ranked], expected[ranked], atol=1e-4)
    assert len(set(expected[ranked].tolist())) > 2  # some were touched, and some were not
    mask = out["completion_mask"]
    per_token = mask.sum(-1, keepdim=True) * len(mask) if loss == "grpo" else mask.sum()
    gradient, in_rank = gradient_of_logps(trainer, out), out["rank_ids"] == 2
    assert (gradient[~in_rank] == 0).all()
    assert torch.allclose(gradient, -out["advantages"] * expected / per_token, rtol=1e-3, atol=1e-7)


def test_a_list_of_many_tokens_keeps_its_gradient_under_the_default_correction(make_vllm_trainer):
    """TRL's product over the list leaves the range at once; the mean of a rank stays in it."""
    trainer = make_vllm_trainer()
    off_by(trainer.vllm_generation, 0.5)
    out = scored_by_engine(trainer)
    ratios = out["importance_sampling_ratio"]
    product = ((out["old_per_token_logps"] - out["sampling_per_token_logps"]) * out["completion_mask"]).sum(-1).exp()
    assert ((ratios - 1).abs() < 0.6).all() and (product > 3).any()


def test_an_exact_engine_is_corrected_by_one(make_vllm_trainer):
    trainer = make_vllm_trainer(temperature=0.7)
    trainer.vllm_generation.logprobs = None
    ratios = scored_by_engine(trainer)["importance_sampling_ratio"]
    assert ratios.unique().tolist() == pytest.approx([1.0] * len(ratios.unique()), abs=1e-5)


def test_a_token_without_a_probability_is_left_out_of_the_mean_of_its_rank(make_vllm_trainer):
    trainer = make_vllm_trainer()
    off_by(trainer.vllm_generation, 0.2)
    unknown_at(trainer.vllm_generation, 2)
    out = scored_by_engine(trainer)
    assert out["sampling_per_token_logps"][0, 2].isnan() and out["rank_ids"][0, 2] == 0
    known = (out["rank_ids"][0] == 0) & ~out["sampling_per_token_logps"][0].isnan()
    gap = (out["old_per_token_logps"] - out["sampling_per_token_logps"])[0][known].mean()
    assert out["importance_sampling_ratio"][0, 2].item() == pytest.approx(gap.exp().item(), abs=1e-5)


def test_trackers_see_the_ratios_of_ranks_and_how_many_were_touched(make_vllm_trainer):
    trainer = make_vllm_trainer(vllm_importance_sampling_clip_max=1.02, vllm_importance_sampling_clip_min=0.98)
    off_by(trainer.vllm_generation, 0.3)
    out = scored_by_engine(trainer)
    logs = generator_log_ratios(out["old_per_token_logps"], out["sampling_per_token_logps"], out["rank_ids"], 3)
    by_hand = sorted(logs.exp().flatten().tolist())
    seen = {name.rpartition("/")[2]: v for name, v in trainer._metrics["train"].items() if "sampling_ratio/" in name}
    assert all(len(values) == 1 for values in seen.values())
    assert seen["p50"][0] == pytest.approx((by_hand[2] + by_hand[3]) / 2)
    assert by_hand[0] <= seen["p05"][0] <= by_hand[1] and by_hand[4] <= seen["p95"][0] <= by_hand[5]
    assert seen["frac_ranks_touched"] == [sum(not 0.98 <= x <= 1.02 for x in by_hand) / 6] != [0.0]
    assert seen["min"] == [0.0] and seen["max"][0] <= 1.02


def test_corrections_by_hand():
    logs = torch.tensor([[0.5, 1.0, 4.0, math.nan]]).log()
    assert corrections(logs, "sequence_mask", None, 3.0)[0, :3].tolist() == pytest.approx([0.5, 1.0, 0.0])
    assert corrections(logs, "sequence_truncate", 0.6, 3.0)[0, :3].tolist() == pytest.approx([0.6, 1.0, 3.0])
    assert corrections(logs, "sequence_mask", 0.6, None)[0, :3].tolist() == pytest.approx([0.0, 1.0, 4.0])
    assert corrections(logs, "sequence_mask", None, 3.0)[0, 3].isnan()


VLLM = dict(report_to="none", use_cpu=True, bf16=False, use_vllm=True, vllm_mode="colocate")
CUT = [
    {"top_p": 0.95}, {"top_k": 50}, {"min_p": 0.05}, {"repetition_penalty": 1.1}, {"vllm_structured_outputs_regex": "1.*"},
    *({"generation_kwargs": {name: value}} for name, value in
      [("top_p", 0.9), ("top_k", 5), ("min_p", 0.1), ("presence_penalty", 0.5), ("logit_bias", {3: 1.0}), ("allowed_token_ids", [1])]),
]  # fmt: skip


@pytest.mark.parametrize("option", CUT, ids=str)
def test_truncated_sampling_is_refused_while_it_is_corrected_for(option, tmp_path):
    [(name, value)] = option.items()
    said = f"{next(iter(value))}=" if name == "generation_kwargs" else f"{name}="
    with pytest.raises(UserError, match=f"{said}.*or vllm_importance_sampling_correction=False"):
        RankGRPOConfig(str(tmp_path), **VLLM, **option)
    RankGRPOConfig(str(tmp_path), **VLLM, **option, vllm_importance_sampling_correction=False)
    if name != "vllm_structured_outputs_regex":
        RankGRPOConfig(str(tmp_path), **VLLM | {"use_vllm": False}, **option)


def test_sampling_from_the_whole_vocabulary_is_taken_however_it_is_written(tmp_path):
    whole = {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "presence_penalty": 0.0, "stop": ["\n\n"], "seed": 3}
    RankGRPOConfig(str(tmp_path), **VLLM, generation_kwargs=whole, min_p=0.0, top_k=-1)


@pytest.mark.parametrize("use_vllm", [True, False])
def test_a_temperature_of_the_sampling_alone_is_refused(use_vllm, tmp_path):
    own = {"generation_kwargs": {"temperature": 0.7}}
    with pytest.raises(UserError, match=r"temperature 0\.7 would hold for sampling only, and 1\.0 for training"):
        RankGRPOConfig(str(tmp_path), **VLLM | {"use_vllm": use_vllm}, **own)
    RankGRPOConfig(str(tmp_path), **VLLM | {"use_vllm": use_vllm}, **own, temperature=0.7)
