"""`rank_weighting="rank"`: TRL's losses become the mean over ranks that Rank-GRPO's paper writes, in value and gradient."""

import pytest
import torch
from trl.trainer.utils import split_tensor_dict

from oracle import UserError
from tests.trainer.drive import gradient_of_logps, logps_of, scored
from tests.trainer.tokenizers import byte_level
from trainer import RankGRPOConfig

LOSSES = ["grpo", "bnpo", "dr_grpo", "dapo"]
K = 5  # more than any list has
ANSWERS = [
    "1. Up (2009)\n2. Frozen (2013)\n3. Saw (2004)",
    "Sure, here they are:\n\n1. A very long title that nobody has ever heard of (1999)\n2. Saw (2004)\n3. Alien (1979)",
    "1. Frozen (2013)\n2. Up (2009)",
    "1. Saw (2004)\n2. Alien (1979)\n3. Frozen (2013)\n4. Up (2009)\n\nEnjoy your evening!",
]  # fmt: skip


def written_out(logps, old, ranks, advantages, n, low, high) -> torch.Tensor:
    """-J = -1/(G·N) Σ_i Σ_k min(w_ik A_ik, clip(w_ik) A_ik), list by list and rank by rank (arXiv 2510.20150)."""
    terms = []
    for row in range(len(logps)):
        for rank in range(n):
            tokens = [t for t in range(logps.shape[1]) if ranks[row, t] == rank]
            if not tokens:
                continue
            ratio = torch.exp(sum((logps[row, t] - old[row, t]) for t in tokens) / len(tokens))
            a = advantages[row, tokens[0]]
            terms.append(torch.minimum(ratio * a, torch.clamp(ratio, 1 - low, 1 + high) * a))
    return -sum(terms) / (len(logps) * n)


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("staleness", [0.05, 0.8])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_that_of_the_papers_mean_over_ranks(make_trainer, loss, staleness, accumulation):
    trainer = make_trainer(
        byte_level(), loss_type=loss, rank_weighting="rank", rec_num=K, num_iterations=2, gradient_accumulation_steps=accumulation,
        per_device_train_batch_size=4 // accumulation,
    )  # fmt: skip
    out = scored(trainer, ANSWERS)
    logps = logps_of(trainer.model, out)
    noise = torch.randn(logps.shape, generator=torch.Generator().manual_seed(0))
    out["old_per_token_logps"] = old = logps.detach() + staleness * noise
    objective, free = (
        written_out(logps, old, out["rank_ids"], out["advantages"], K, *limits)
        for limits in ((trainer.epsilon_low, trainer.epsilon_high), (1.0, torch.inf))
    )
    assert (objective.item() != free.item()) == (staleness > 0.5)  # clipping was at work
    expected = torch.autograd.grad(objective, list(trainer.model.parameters()))
    trainer.current_gradient_accumulation_steps = accumulation
    parts = split_tensor_dict(out, accumulation)
    loss_value = sum(trainer.compute_loss(trainer.model, part) for part in parts)
    found = torch.autograd.grad(loss_value, list(trainer.model.parameters()))
    assert loss_value.item() == pytest.approx(objective.item(), abs=1e-5)
    assert all((a - b).norm() <= 1e-4 * b.norm() + 1e-7 for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_that_is_generated_for_two_steps_gives_each_the_mean_over_its_lists(make_trainer, loss):
    trainer = make_trainer(
        byte_level(), loss_type=loss, rank_weighting="rank", rec_num=K, steps_per_generation=2, gradient_accumulation_steps=1,
    )  # fmt: skip
    out = scored(trainer, ANSWERS)
    for part in split_tensor_dict(out, 2):
        logps = logps_of(trainer.model, part)
        objective = written_out(logps, part["old_per_token_logps"], part["rank_ids"], part["advantages"], K, 0.2, 0.2)
        expected = torch.autograd.grad(objective, list(trainer.model.parameters()))
        found = torch.autograd.grad(trainer.compute_loss(trainer.model, part), list(trainer.model.parameters()))
        assert all((a - b).norm() <= 1e-4 * b.norm() + 1e-7 for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("weighting", ["rank", "token"])
def test_a_long_title_weighs_as_much_as_a_short_one_or_as_many_times_as_it_has_tokens(make_trainer, weighting):
    long, short = (f"1. {title} (2004)\n2. Up (2009)\n3. Frozen (2013)" for title in ("Nobody ever heard of it", "Saw"))
    trainer = make_trainer(byte_level(), loss_type="dr_grpo", rank_weighting=weighting)
    out = scored(trainer, [long, short])
    gradient = gradient_of_logps(trainer, out)
    first, second = (gradient[i][out["rank_ids"][i] == 0] for i in range(2))
    assert len(first) > 2 * len(second)
    expected = 1.0 if weighting == "rank" else len(first) / len(second)
    assert (first.sum() / -second.sum()).item() == pytest.approx(expected, rel=1e-4)


def test_the_weights_of_tokens_without_credit_change_nothing(make_trainer):
    trainer = make_trainer(byte_level(), loss_type="dapo", rank_weighting="rank")
    out = scored(trainer, ANSWERS[:2])
    gradient = gradient_of_logps(trainer, out)
    assert (gradient[out["advantages"] == 0] == 0).all() and (gradient != 0).any()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_of_an_evaluation_is_the_mean_over_ranks_too(make_trainer, loss):
    trainer = make_trainer(  # of an evaluation nothing is accumulated
        byte_level(), loss_type=loss, rank_weighting="rank", rec_num=K, per_device_eval_batch_size=2, gradient_accumulation_steps=2,
        per_device_train_batch_size=1,
    )  # fmt: skip
    out = scored(trainer, ANSWERS[:2])
    out["advantages"] = out["advantages"].abs()  # those of a group sum to 0, whatever they are divided by
    logps = logps_of(trainer.model, out).detach()
    expected = written_out(logps, logps, out["rank_ids"], out["advantages"], K, 0.2, 0.2)
    trainer.model.eval()
    with torch.no_grad():
        assert trainer.compute_loss(trainer.model, out).item() == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss_type": "cispo", "epsilon_high": 5.0}, "rank_weighting='rank' with loss_type='cispo'"),
        ({"loss_type": "sapo"}, "use one of grpo, bnpo, dr_grpo, dapo"),
        ({"ratio_level": "token"}, "set ratio_level='item'"),
        ({"rank_weighting": "list"}, "expected token or rank"),
    ],
)
def test_what_has_no_mean_over_ranks_is_refused(options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        RankGRPOConfig(str(tmp_path), report_to="none", use_cpu=True, **{"rank_weighting": "rank"} | options)
