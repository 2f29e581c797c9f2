"""The trainer through TRL's real loss: exact credit, the rank's importance ratio, and the log that it leaves."""

import duckdb
import numpy as np
import pytest
import torch
from datasets import Dataset

from oracle import UserError
from oracle.log import LogWriter
from tests.trainer.conftest import TRAIT, tiny_model
from tests.trainer.tokenizers import FAMILIES, byte_level
from trainer import RankGRPOConfig, RankGRPOTrainer
from trainer.rewards import make_end_func, make_relevance_func, make_repeat_func, make_safety_func

K, G = 3, 2
SAFE = "1. Up (2009)\n2. Frozen (2013)\n3. The Thing (1982)"
UNSAFE_AT_3 = "1. Up (2009)\n2. Frozen (2013)\n3. Saw (2004)"


@pytest.fixture
def make_trainer(tmp_path, judge):
    def make(tokenizer, functions=None, log=None, model=None, peft_config=None, rows=4, **options) -> RankGRPOTrainer:
        functions = functions or [make_relevance_func(judge, rec_num=K), make_safety_func(judge, rec_num=K)]
        settings = dict(
            output_dir=str(tmp_path / "out"), rec_num=K, num_generations=G, per_device_train_batch_size=G, beta=0.0,
            max_completion_length=40, report_to="none", save_strategy="no", use_cpu=True, learning_rate=1e-2, seed=1,
            max_steps=2, logging_steps=1, disable_tqdm=True,
        )  # fmt: skip
        dataset = Dataset.from_list(
            [{
                "prompt": "What should I watch next?" + "!" * i, "constraints": [TRAIT],
                "groundtruth_with_release_year": [{"title": "Frozen", "year": 2013}], "seen_titles": [],
            } for i in range(rows)]
        )  # fmt: skip
        return RankGRPOTrainer(
            model or tiny_model(tokenizer),
            functions,
            RankGRPOConfig(**settings | options),
            rollout_log=log,
            train_dataset=dataset,
            processing_class=tokenizer,
            peft_config=peft_config,
        )

    return make


def answer_with(trainer: RankGRPOTrainer, texts: list[str]) -> None:
    """Have the trainer sample these answers."""
    tokenizer = trainer.processing_class
    ids = [tokenizer(t, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id] for t in texts]
    trainer._generate_single_turn = lambda *_: (ids, None)


def scored(trainer: RankGRPOTrainer, texts: list[str]) -> dict:
    """What the trainer makes of answers that it is told to have sampled."""
    answer_with(trainer, texts)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer._generate_and_score_completions([trainer.train_dataset[0]] * len(texts))


def gradient_of_logits(trainer: RankGRPOTrainer, out: dict) -> torch.Tensor:
    """(B, T) largest absolute gradient of the loss on the log-probability of each token."""
    kept: list[torch.Tensor] = []
    parent = type(trainer)._get_per_token_logps_and_entropies

    def watched(*args, **kwargs):
        result = parent(trainer, *args, **kwargs)
        result[0].retain_grad()
        kept.append(result[0])
        return result

    trainer._get_per_token_logps_and_entropies = watched
    trainer.compute_loss(trainer.model, out).backward()
    return kept[-1].grad


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
@pytest.mark.parametrize("loss", ["grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo"])
def test_if_only_rank_3_differs_the_gradient_outside_it_is_exactly_zero(make_trainer, family, mode, loss):
    trainer = make_trainer(FAMILIES[family](), advantage_mode=mode, loss_type=loss)
    out = scored(trainer, [SAFE, UNSAFE_AT_3])
    gradient = gradient_of_logits(trainer, out)
    in_rank = out["rank_ids"] == 2
    assert (gradient[~in_rank] == 0).all()
    assert (gradient[in_rank] != 0).all()
    assert (gradient[1][in_rank[1]] > 0).all() and (gradient[0][in_rank[0]] < 0).all()  # the unsafe film goes down


def test_with_end_credit_an_early_end_is_pushed_down_and_nothing_else(make_trainer, judge, tmp_path):
    trainer = make_trainer(byte_level(), [make_end_func(judge, 1.0, K)], end_credit=True)
    out = scored(trainer, [SAFE, "\n".join(SAFE.splitlines()[:2])])
    gradient = gradient_of_logits(trainer, out)
    end = out["completion_ids"][1].tolist().index(trainer.processing_class.eos_token_id)
    assert gradient[1, end] > 0
    assert (gradient[out["rank_ids"] != 2] == 0).all()


def direct_item_level_loss(logps, old, ranks, advantages, mask, low, high):
    """Rank-GRPO's objective as its paper writes it: one clipped ratio a rank, with gradient through its mean."""
    per_token = torch.zeros_like(logps)
    for b in range(len(logps)):
        for rank in set(ranks[b].tolist()):
            where = ranks[b] == rank
            log_ratio = (logps[b] - old[b])[where]
            ratio = torch.exp(log_ratio.mean()) if rank >= 0 else torch.exp(log_ratio)
            a = advantages[b][where]
            per_token[b, where] = -torch.min(ratio * a, ratio.clamp(1 - low, 1 + high) * a)
    return ((per_token * mask).sum(-1) / mask.sum(-1)).mean()


@pytest.mark.parametrize("staleness", [0.05, 0.5, 2.0])
def test_the_ratio_of_a_rank_is_the_geometric_mean_of_its_tokens_in_value_and_gradient(make_trainer, staleness):
    trainer = make_trainer(byte_level(), loss_type="grpo", num_iterations=4)
    out = scored(trainer, ["1. Saw (2004)\n2. Frozen (2013)\n3. Alien (1979)", UNSAFE_AT_3])
    mask = out["completion_mask"].float()
    noise = torch.randn(mask.shape, generator=torch.Generator().manual_seed(0))
    ids = torch.cat([out["prompt_ids"], out["completion_ids"]], 1)
    attention = torch.cat([out["prompt_mask"], out["completion_mask"]], 1)
    logps, _, _ = trainer._get_per_token_logps_and_entropies(trainer.model, ids, attention, mask.shape[1])
    out["old_per_token_logps"] = logps.detach() + staleness * noise
    direct = direct_item_level_loss(
        logps,
        out["old_per_token_logps"],
        out["rank_ids"],
        out["advantages"],
        mask,
        trainer.epsilon_low,
        trainer.epsilon_high,
    )
    expected = torch.autograd.grad(direct, list(trainer.model.parameters()))
    loss = trainer.compute_loss(trainer.model, out)
    found = torch.autograd.grad(loss, list(trainer.model.parameters()))
    assert loss.item() == pytest.approx(direct.item(), abs=1e-6)
    # float32, with terms that cancel: the exact identity is tested in test_ratio.py.
    assert all((a - b).norm() <= 5e-3 * b.norm() + 1e-6 for a, b in zip(found, expected, strict=True))


def test_training_moves_the_weights_and_logs_each_step_once(make_trainer, judge, tmp_path):
    log = LogWriter(tmp_path / "store.log", {"kind": "train", "rec_num": K, "num_generations": G})
    functions = [
        make_relevance_func(judge, rec_num=K), make_safety_func(judge, rec_num=K), make_end_func(judge, 1.0, K),
        make_repeat_func(judge, 1.0, K),
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


def test_lambda_zero_is_plain_rank_grpo(make_trainer, judge):
    texts = ["1. Saw (2004)\n2. Frozen (2013)", UNSAFE_AT_3]
    relevance = make_relevance_func(judge, rec_num=K)
    for mode in ("grpo", "gdpo"):
        plain = scored(make_trainer(byte_level(), [relevance], advantage_mode=mode), texts)
        free = make_safety_func(judge, lambda_safe=0.0, rec_num=K)
        both = scored(make_trainer(byte_level(), [relevance, free], advantage_mode=mode), texts)
        assert torch.equal(plain["advantages"], both["advantages"])


@pytest.mark.parametrize(
    "option",
    [
        {"importance_sampling_level": "sequence"}, {"top_entropy_quantile": 0.5}, {"use_bias_correction_kl": True},
        {"loss_type": "luspo"}, {"advantage_mode": "ppo"}, {"mask_truncated_completions": True}, {"rec_num": 0},
    ],
)  # fmt: skip
def test_options_that_ranks_cannot_honour_are_refused(make_trainer, option, tmp_path):
    with pytest.raises(UserError, match=next(iter(option))):
        RankGRPOConfig(output_dir=str(tmp_path), report_to="none", use_cpu=True, **option)


def test_a_reward_with_more_slots_than_the_trainer_has_is_refused(make_trainer, judge):
    with pytest.raises(ValueError, match="end_credit=True"):
        scored(make_trainer(byte_level(), [make_end_func(judge, 1.0, K)]), [SAFE, UNSAFE_AT_3])


def test_plain_functions_of_ranks_train_without_an_oracle(make_trainer):
    def longest_title(completions, **_):
        return [[float(len(line)) for line in (c.split("\n") + [""] * K)[:K]] for c in completions]

    out = scored(make_trainer(byte_level(), [longest_title]), [SAFE, UNSAFE_AT_3])
    assert (out["advantages"][out["rank_ids"] != 2] == 0).all()
    assert (out["advantages"][out["rank_ids"] == 2] != 0).all()
