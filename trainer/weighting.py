"""How much a rank weighs in the loss: as many times as it has tokens, or each rank the same."""

import torch

from trainer.ratio import of_tokens, rank_counts

LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo")
"""Losses that are sums over tokens of min(w A, clip(w) A), divided by a normaliser of their own."""


def equal_rank_weights(
    loss_type: str,
    rank_ids: torch.Tensor,
    completion_mask: torch.Tensor,
    rec_num: int,
    max_completion_length: int | None,
    tokens_per_completion: torch.Tensor | float,
) -> torch.Tensor:
    """(B, T) factors of the tokens' advantages for which the loss is the mean over lists of (1/N) Σ_k of its ranks.

    Rank-GRPO's objective (Zhu et al. 2025, arXiv 2510.20150) is a mean over ranks,
    J = 1/(G·N) Σ_i Σ_k min(w_ik A_ik, clip(w_ik) A_ik), N the number of recommendations in a list. Its public code, like
    every loss of tokens, sums over the tokens of a rank instead, so that a long title weighs more than a short one. The
    n_ik tokens of a rank share one ratio and one advantage: times D / (N · n_ik), with D what the loss divides the tokens
    of one list by, their sum is the rank's term of J. N is the K that is asked for, for short lists too, as in the
    paper's constant 1/(G·N): with the ranks emitted instead, the ranks of a short list would weigh more. A KL term is
    not touched: it stays a mean over tokens.

    Args:
        loss_type: one of `LOSSES`. D is: grpo: the tokens of the row; bnpo: those of the micro-batch / its rows; dr_grpo:
            `max_completion_length`; dapo: `tokens_per_completion`.
        rank_ids: (B, T) long, -1 for tokens of no rank, whose factor is meaningless.
        completion_mask: (B, T), of a micro-batch.
        rec_num: N.
        tokens_per_completion: those of the whole generated batch, all processes together / its completions.
    """
    n_slots = int(rank_ids.max()) + 1 if rank_ids.numel() else 0
    per_rank = rank_counts(rank_ids, max(n_slots, 1)).clamp(min=1)
    tokens = completion_mask.sum(-1, keepdim=True)  # (B, 1)
    normalisers: dict[str, torch.Tensor | float] = {
        "grpo": tokens,
        "bnpo": tokens.float().mean(),
        "dr_grpo": float(max_completion_length or 0),
        "dapo": tokens_per_completion,
    }
    return normalisers[loss_type] / (rec_num * of_tokens(per_rank, rank_ids))


def share_of_loss(loss_type: str, completion_mask: torch.Tensor, kept: torch.Tensor) -> torch.Tensor | float:
    """What the loss of some rows of a micro-batch is of that of all, if the others add nothing to it.

    Args:
        completion_mask: (B, T) of all rows; kept: (B,) bool.
    """
    if loss_type in ("dapo", "cispo"):  # divided by the tokens of the whole generated batch
        return 1.0
    if loss_type == "bnpo":
        return completion_mask[kept].sum() / completion_mask.sum()
    return kept.float().mean()
