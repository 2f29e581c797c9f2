"""Importance ratios at the level of a rank, through a loss that only knows tokens.

Both are geometric means over the tokens of a rank (Rank-GRPO, Zhu et al. 2025): that of the policy against the one that
answered, and that of the policy that answered against what its generator (vLLM) says that it sampled with.
"""

import math

import torch


def rank_level_old_logps(
    logps: torch.Tensor, old_logps: torch.Tensor, rank_ids: torch.Tensor, n_slots: int
) -> torch.Tensor:
    """Old log-probabilities for which the token-level ratio of every token equals the ratio of its rank.

    The ratio of rank k is the geometric mean of its tokens' ratios (Rank-GRPO; the GSPO-token identity of Zheng et
    al. 2025, eq. 13, at the level of ranks): w_k = exp(mean_t (logp_t - old_t)). With old' = logp - mean_t (logp - old)
    the ratio exp(logp - old') has the value w_k, and the gradient w_k ∇logp_t, in any loss.

    Args:
        logps: (B, T) detached log-probabilities of the policy.
        old_logps: (B, T) those of the policy that generated.
        rank_ids: (B, T) long, -1 for tokens of no rank, which keep their own ratio.
        n_slots: S, one more than the largest rank id.

    Returns:
        (B, T), without gradient.
    """
    log_ratio = logps - old_logps
    means = rank_means(log_ratio, rank_ids, n_slots)
    return logps - torch.where(rank_ids >= 0, of_tokens(means, rank_ids), log_ratio)


def generator_log_ratios(
    logps: torch.Tensor, sampled: torch.Tensor, rank_ids: torch.Tensor, n_slots: int
) -> torch.Tensor:
    """Logarithm of each rank's geometric mean of π_old / π_generator.

    Args:
        logps: (B, T) log-probabilities of the policy that answered.
        sampled: (B, T) those that the generator reports; NaN where it has none, which leaves the token out.
        rank_ids: (B, T) long, -1 for tokens of no rank.

    Returns:
        (B, S); NaN where a row has no such rank, and 0 where the generator reports nothing of it.
    """
    log_ratio = logps - sampled
    known = rank_means(log_ratio, rank_ids.masked_fill(log_ratio.isnan(), -1), n_slots).nan_to_num(0.0)
    return known.masked_fill(rank_counts(rank_ids, n_slots) == 0, torch.nan)


def corrections(log_ratios: torch.Tensor, mode: str, low: float | None, high: float | None) -> torch.Tensor:
    """Ratios to weigh a loss by, cut to [low, high] (TRL's `…_truncate`) or 0 outside it (`…_mask`); NaN stays.

    Truncated importance sampling (Yao et al. 2025) and its masked form, as in TRL, but of a rank; None is no bound.
    """
    low, high = 0.0 if low is None else low, math.inf if high is None else high
    ratios = log_ratios.exp()
    if mode.endswith("_truncate"):
        return ratios.clamp(low, high)
    return ratios.masked_fill((ratios < low) | (ratios > high), 0.0)


def rank_means(values: torch.Tensor, rank_ids: torch.Tensor, n_slots: int) -> torch.Tensor:
    """(B, S) mean of the (B, T) values over the tokens of each rank; NaN where a row has no such rank."""
    index, ranked = rank_ids.clamp(min=0), rank_ids >= 0
    sums = values.new_zeros(len(values), n_slots).scatter_add(1, index, values.masked_fill(~ranked, 0.0))
    return sums / rank_counts(rank_ids, n_slots)


def rank_counts(rank_ids: torch.Tensor, n_slots: int) -> torch.Tensor:
    """(B, S) long, the tokens of each rank."""
    zeros = rank_ids.new_zeros(len(rank_ids), n_slots)
    return zeros.scatter_add(1, rank_ids.clamp(min=0), (rank_ids >= 0).long())


def of_tokens(by_rank: torch.Tensor, rank_ids: torch.Tensor) -> torch.Tensor:
    """(B, S) -> (B, T): each token the value of its rank; those of no rank that of the first."""
    return by_rank.gather(1, rank_ids.clamp(min=0))
