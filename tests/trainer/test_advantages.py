"""Advantages against numbers worked out by hand, and against properties that must hold for any rewards."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.advantages import gdpo_advantages, grpo_advantages

ONE = torch.ones(1, dtype=torch.float64)
MODES = [grpo_advantages, gdpo_advantages]


def rewards(*rows: list[float]) -> torch.Tensor:
    """Rows of one reward function's ranks -> (N, 1, K)."""
    return torch.tensor(rows, dtype=torch.float64)[:, None, :]


def test_grpo_normalises_each_rank_over_its_group():
    # Rank 1 of the group: 1, 0, 0, 0: mean 1/4, unbiased std 1/2. Rank 2: 2, 2, 0, 0: mean 1, std sqrt(4/3).
    found = grpo_advantages(rewards([1, 2], [0, 2], [0, 0], [0, 0]), ONE, 4)
    spread = (4 / 3) ** 0.5 + 1e-4
    expected = [[0.75 / 0.5001, 1 / spread], [-0.25 / 0.5001, 1 / spread], [-0.25 / 0.5001, -1 / spread]]
    assert torch.allclose(found[:3], torch.tensor(expected, dtype=torch.float64))
    assert torch.equal(found[2], found[3])


def test_grpo_weighs_the_rewards_before_it_normalises():
    two = torch.stack([rewards([1.0], [0.0])[:, 0], rewards([0.0], [3.0])[:, 0]], dim=1)  # (2, 2, 1)
    # 2 * 1 + 1 * 0 = 2 against 0 + 3 = 3: mean 2.5, unbiased std sqrt(0.5)
    found = grpo_advantages(two, torch.tensor([2.0, 1.0]), 2)
    assert found[:, 0].tolist() == pytest.approx([-0.5 / (0.5**0.5 + 1e-4), 0.5 / (0.5**0.5 + 1e-4)])


def test_gdpo_normalises_each_reward_then_scales_over_the_batch():
    two = torch.stack([rewards([1.0], [0.0])[:, 0], rewards([0.0], [30.0])[:, 0]], dim=1)
    a, b = 0.5 / (0.5**0.5 + 1e-4), 15 / (450**0.5 + 1e-4)  # normalised over the group of two
    summed = torch.tensor([3 * a - b, -3 * a + b], dtype=torch.float64)
    found = gdpo_advantages(two, torch.tensor([3.0, 1.0]), 2)
    assert torch.allclose(found[:, 0], summed / (summed.std() + 1e-4))


def test_gdpo_keeps_apart_what_grpo_collapses():
    """Rewards (0, 1) and (0, 2) in a group of two look the same to GRPO once summed and normalised; GDPO tells
    an answer that wins one reward from one that wins both."""
    one = torch.tensor([[[0.0], [0.0]], [[0.0], [1.0]]])  # wins the second reward only
    both = torch.tensor([[[0.0], [0.0]], [[1.0], [1.0]]])
    batch = torch.cat([one, both])
    collapsed, kept = (mode(batch, torch.ones(2), 2)[:, 0] for mode in MODES)
    assert collapsed[1].item() == pytest.approx(collapsed[3].item(), rel=1e-3)
    assert kept[3].item() == pytest.approx(2 * kept[1].item(), rel=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_an_entry_without_reward_is_left_out_of_its_groups_mean(mode):
    nan = float("nan")
    with_gap = mode(rewards([1.0], [0.0], [0.0], [nan]), ONE, 4)
    without = mode(rewards([1.0], [0.0], [0.0]), ONE, 3)
    assert with_gap[3, 0] == 0
    assert torch.allclose(with_gap[:3], without)


def test_an_entry_without_one_of_its_rewards_has_no_say_in_the_mean_of_the_others():
    two = torch.stack([rewards([1.0], [0.0], [float("nan")])[:, 0], rewards([3.0], [1.0], [8.0])[:, 0]], dim=1)
    found = gdpo_advantages(two, torch.ones(2), 3)
    assert found[2, 0] == 0
    assert torch.allclose(found[:2], gdpo_advantages(two[:2], torch.ones(2), 2))


@pytest.mark.parametrize("mode", MODES)
@given(
    seed=st.integers(0, 10**6), groups=st.integers(1, 3), size=st.integers(2, 6), functions=st.integers(1, 4),
    missing=st.floats(0, 1),
)  # fmt: skip
def test_the_advantages_of_a_group_sum_to_zero_whichever_rewards_are_missing(
    mode, seed, groups, size, functions, missing
):
    generator = torch.Generator().manual_seed(seed)
    shape = (groups * size, functions, 5)
    table = torch.randint(-2, 3, shape, generator=generator).double()
    table[torch.rand(shape, generator=generator) < missing / functions] = torch.nan
    found = mode(table, torch.rand(functions, generator=generator).double(), size)
    assert found.unflatten(0, (groups, size)).sum(dim=1).abs().max() < 1e-9


@pytest.mark.parametrize("mode", MODES)
@given(
    values=st.lists(st.lists(st.floats(-5, 5, width=32), min_size=3, max_size=3), min_size=8, max_size=8),
    same=st.floats(-5, 5),
    factor=st.floats(0.1, 3.0),
)
def test_where_a_group_agrees_the_advantage_is_exactly_zero(mode, values, same, factor):
    table = torch.tensor(values, dtype=torch.float64).reshape(8, 1, 3).repeat(1, 2, 1)
    table[:, :, 1] = same
    found = mode(table, torch.tensor([1.0, factor]), 4)
    assert (found[:, 1] == 0).all()
    assert found.isfinite().all()


@pytest.mark.parametrize("mode", MODES)
@given(seed=st.integers(0, 10**6), groups=st.integers(1, 4), size=st.integers(2, 6), functions=st.integers(1, 3))
def test_advantages_follow_the_answers_when_groups_are_shuffled(mode, seed, groups, size, functions):
    generator = torch.Generator().manual_seed(seed)
    table = torch.randint(-2, 3, (groups * size, functions, 5), generator=generator).double()
    weights = torch.rand(functions, generator=generator).double()
    within = torch.cat([g * size + torch.randperm(size, generator=generator) for g in range(groups)])
    assert torch.allclose(mode(table, weights, size)[within], mode(table[within], weights, size))


@given(seed=st.integers(0, 10**6))
def test_grpo_equals_a_loop_over_groups_and_ranks(seed):
    table = torch.randn(12, 2, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    weights = torch.tensor([0.7, 1.9], dtype=torch.float64)
    found = grpo_advantages(table, weights, 4)
    for start in range(0, 12, 4):
        for k in range(4):
            total = [0.7 * table[i, 0, k].item() + 1.9 * table[i, 1, k].item() for i in range(start, start + 4)]
            mean = sum(total) / 4
            std = (sum((t - mean) ** 2 for t in total) / 3) ** 0.5
            for i, t in enumerate(total):
                assert found[start + i, k].item() == pytest.approx((t - mean) / (std + 1e-4), abs=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_shapes_that_do_not_fit_are_refused(mode):
    with pytest.raises(ValueError, match="expected \\(N, F, K\\)"):
        mode(torch.zeros(4, 3), torch.ones(1), 2)
    with pytest.raises(ValueError, match="groups of 3"):
        mode(torch.zeros(4, 1, 3), torch.ones(1), 3)
