"""Per-rank advantages over groups of G completions of one prompt."""

import torch

EPSILON = 1e-4
"""Added to every standard deviation, as in GRPO (Shao et al. 2024) and in TRL."""


def grpo_advantages(rewards: torch.Tensor, weights: torch.Tensor, num_generations: int) -> torch.Tensor:
    """Weighted sum of the rewards, then normalised over the group, rank by rank.

    A_ik = (r_ik - mean_i r_ik) / (std_i r_ik + 1e-4), r = Σ_f w_f r_f (Rank-GRPO; Zhu et al. 2025).

    Args:
        rewards: (N, F, K) float, N completions (prompt-major, G consecutive rows share a prompt), F reward
            functions, K ranks. NaN leaves an entry out of its group's mean and deviation and gives it advantage 0.
        weights: (F,) float.
        num_generations: G >= 2; must divide N.

    Returns:
        (N, K) in the dtype of `rewards`; exactly 0 wherever a group agrees.

    Raises:
        ValueError: shapes that don't fit, or G that doesn't divide N.
    """
    _check(rewards, weights, num_generations)
    total = _weighted_sum(rewards.double(), weights)
    return _normalise_in_group(total, num_generations).nan_to_num(0.0).to(rewards.dtype)


def gdpo_advantages(rewards: torch.Tensor, weights: torch.Tensor, num_generations: int) -> torch.Tensor:
    """Each reward normalised over its group on its own, weighted sum, then scaled by the deviation over the batch.

    GDPO (Liu et al. 2026): rewards of different scales keep their say, and two mixes of rewards that sum to the
    same total stay apart. Arguments and errors are those of `grpo_advantages`; an entry that one reward leaves out is
    left out of all of them. The batch mean is 0 by construction (every group's is), so only its rounding error could
    be subtracted: leaving it out keeps agreement exactly 0.

    Returns:
        (N, K) in the dtype of `rewards`.
    """
    _check(rewards, weights, num_generations)
    shared = rewards.double().masked_fill(rewards.isnan().any(dim=1, keepdim=True), torch.nan)
    summed = _weighted_sum(_normalise_in_group(shared, num_generations), weights)
    scored = summed[~summed.isnan()]
    std = scored.std() if scored.numel() > 1 else scored.new_zeros(())
    return (summed / (std + EPSILON)).nan_to_num(0.0).to(rewards.dtype)


def length_control(n_films: torch.Tensor, rec_num: int, size: float) -> torch.Tensor:
    """What is added to advantages for the length of a list, outside of any mean: the public code's length control.

    A group that agrees on a wrong length has no advantage by comparison; this it has all the same.

    Args:
        n_films: (N,) films of each list. size: X > 0.

    Returns:
        (N, K + 1) float64: +X at slot K of a list of exactly K films, whose end that is; -X at slot n of one that ends
        after n < K; -X at slot K of a longer one, which is all that goes on beyond rank K. Else 0.
    """
    added = torch.zeros(len(n_films), rec_num + 1, dtype=torch.float64)
    signed = torch.full((len(n_films),), size, dtype=torch.float64)
    signed[n_films != rec_num] = -size
    return added.scatter(1, n_films.clamp(max=rec_num)[:, None], signed[:, None])


def _weighted_sum(rewards: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(N, F, K), (F,) -> (N, K); a rank that any reward function left out is left out (NaN)."""
    return torch.einsum("nfk,f->nk", rewards, weights.to(rewards))


def _normalise_in_group(values: torch.Tensor, num_generations: int) -> torch.Tensor:
    """(N, ...) -> (N, ...): (x - mean) / (unbiased std + 1e-4) over each G rows, NaN left out and kept."""
    groups = values.unflatten(0, (-1, num_generations))
    known = ~groups.isnan()
    count = known.sum(dim=1, keepdim=True)
    centred = groups - groups.nanmean(dim=1, keepdim=True)
    std = ((centred.nan_to_num(0.0) ** 2).sum(dim=1, keepdim=True) / (count - 1).clamp(min=1)).sqrt()
    # The mean of equal numbers can differ from them in the last bit; agreement must give exactly 0.
    low = groups.masked_fill(~known, torch.inf).amin(dim=1, keepdim=True)
    high = groups.masked_fill(~known, -torch.inf).amax(dim=1, keepdim=True)
    return torch.where((low == high) & known, 0.0, centred / (std + EPSILON)).flatten(0, 1)


def _check(rewards: torch.Tensor, weights: torch.Tensor, num_generations: int) -> None:
    if rewards.dim() != 3 or weights.shape != (rewards.shape[1],):
        raise ValueError(
            f"rewards of shape {tuple(rewards.shape)} with weights of shape {tuple(weights.shape)}: "
            "expected (N, F, K) and (F,)"
        )
    if num_generations < 2 or rewards.shape[0] % num_generations:
        raise ValueError(
            f"{rewards.shape[0]} completions can't be split in groups of {num_generations}: "
            "G must be at least 2 and divide the number of completions"
        )
