"""The rank's importance ratio through a loss that only knows tokens, in float64 against the ratio written out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.ratio import rank_level_old_logps


def clipped_loss(ratio: torch.Tensor, advantages: torch.Tensor) -> torch.Tensor:
    return -torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages).sum()


@given(seed=st.integers(0, 10**6), staleness=st.floats(0.0, 2.0))
def test_value_and_gradient_equal_those_of_the_ratio_written_out(seed, staleness):
    generator = torch.Generator().manual_seed(seed)
    shape = (3, 12)
    logps = (-torch.rand(shape, generator=generator, dtype=torch.float64)).requires_grad_()
    old = (logps + staleness * torch.randn(shape, generator=generator, dtype=torch.float64)).detach()
    ranks = torch.randint(-1, 4, shape, generator=generator)
    per_rank = torch.randn((3, 4), generator=generator, dtype=torch.float64)
    advantages = torch.where(ranks < 0, 0.0, per_rank.gather(1, ranks.clamp(min=0)))

    rows = []
    for b in range(3):
        ratio = [
            torch.exp((logps[b] - old[b])[ranks[b] == ranks[b, t]].mean()) if ranks[b, t] >= 0
            else torch.exp(logps[b, t] - old[b, t])
            for t in range(12)
        ]  # fmt: skip
        rows.append(torch.stack(ratio))
    written_out = clipped_loss(torch.stack(rows), advantages)
    (expected,) = torch.autograd.grad(written_out, logps)

    shifted = rank_level_old_logps(logps.detach(), old, ranks, 4)
    loss = clipped_loss(torch.exp(logps - shifted), advantages)
    (found,) = torch.autograd.grad(loss, logps)
    assert loss.item() == pytest.approx(written_out.item(), abs=1e-12)
    assert torch.allclose(found, expected, atol=1e-12)


def test_the_geometric_mean_by_hand():
    # Rank 0: ratios 2 and 8, geometric mean 4. No rank: its own ratio, 3.
    logps = torch.tensor([[2.0, 8.0, 3.0]], dtype=torch.float64).log()
    shifted = rank_level_old_logps(logps, torch.zeros_like(logps), torch.tensor([[0, 0, -1]]), 1)
    assert torch.exp(logps - shifted)[0].tolist() == pytest.approx([4.0, 4.0, 3.0])
