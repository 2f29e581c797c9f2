"""Importance ratios at the level of a rank, through a loss that only knows tokens."""

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
    ranked = rank_ids >= 0
    index = rank_ids.clamp(min=0)
    sums = log_ratio.new_zeros(len(logps), n_slots).scatter_add(1, index, log_ratio * ranked)
    counts = log_ratio.new_zeros(len(logps), n_slots).scatter_add(1, index, ranked.to(log_ratio))
    means = (sums / counts.clamp(min=1)).gather(1, index)
    return logps - torch.where(ranked, means, log_ratio)
