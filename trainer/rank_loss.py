"""TRL's loss with one importance ratio a rank, and with each rank weighing the same where that is asked for.

TRL's loss knows tokens: for each one the ratio exp(logp - old), clipped, times the token's advantage. Rank-GRPO has one
ratio a rank, the geometric mean over its n tokens, w = exp(mean(logp - old)). A copy of TRL's loss with that one line
changed would have to follow every later version. Instead the loss stays TRL's, and is told other old log-probabilities:

    old' = sg[logp] - mean over the rank of (sg[logp] - old)          sg: the value alone, without its gradient

so that its own exp(logp - old') comes out as exp(logp - sg[logp]) · w: of the value w for each token of the rank, and with
the gradient w ∇logp. For example, rank 3 was written by two tokens:

    token               "Sa"      "w"
    logp               -1.00    -2.00     now
    old                -1.20    -2.40     when it was written: the tokens' own ratios are e^0.2 = 1.22 and e^0.4 = 1.49
    mean(logp - old)    0.30     0.30     the rank's: w = e^0.3 = 1.35
    old'               -1.30    -2.30     logp - 0.30
    exp(logp - old')    1.35     1.35     what TRL clips, and multiplies by the advantage

Their gradients add up to w (∇logp_1 + ∇logp_2), which is 2 ∇w: a rank counts once a token (`rank_weighting="token"`), or
once, where its advantage was divided by n before (`"rank"`). The loss computes logp itself, and so the shift is made when
it has done that and has not yet read old: in `_get_per_token_logps_and_entropies`.
"""

import contextlib
from collections import defaultdict

import pyarrow as pa
import torch

from trainer.config import check_router
from trainer.dropout import evaluating
from trainer.metrics import rank_metrics, rank_sums, rank_table
from trainer.ratio import rank_level_old_logps
from trainer.resuming import ResumableGRPOTrainer
from trainer.weighting import equal_rank_weights, share_of_loss


class RankLossTrainer(ResumableGRPOTrainer):
    """TRL's trainer with a loss of ranks; each batch that it is given says in `rank_ids` (B, T) which token is of which.

    Private seams of TRL: `_compute_loss` and, inside it and before it, `_get_per_token_logps_and_entropies`.
    """

    def __init__(self, model, reward_funcs, args, **kwargs):
        self.n_slots = args.rec_num + args.end_credit
        self._loss_inputs: dict | None = None
        self._rank_sums: defaultdict[str, torch.Tensor | float] = defaultdict(float)  # by mode
        super().__init__(model, reward_funcs, args, **kwargs)
        check_router(args, self.model.config)  # type: ignore[union-attr, arg-type]

    def _keep_loss(self, by_rank: pa.Table) -> None:
        """Take what the loss made of each rank since it was last logged."""

    @property
    def _mode(self) -> str:
        return "train" if self.model.training else "eval"  # type: ignore[union-attr]

    def _compute_loss(self, model, inputs):
        inputs = dict(inputs)  # the buffer is used again when num_iterations > 1
        if self.args.rank_weighting == "rank":
            inputs["advantages"] = inputs["advantages"] * self._equal_rank_weights(inputs)
        share = self._drop_silent(inputs) if self.args.silent_groups == "drop" else 1.0
        self._loss_inputs = inputs
        try:
            loss = super()._compute_loss(model, inputs)
            self._rank_sums[self._mode] += self._sums_by_rank(inputs)
            return loss * share
        finally:
            self._loss_inputs = None

    def _drop_silent(self, inputs: dict) -> torch.Tensor | float:
        """Leave out the answers without any advantage (but one, for a gradient of 0); what the loss is then of all."""
        rows, mask = len(inputs["advantages"]), inputs["completion_mask"]
        kept = (inputs["advantages"] != 0).any(dim=1)
        kept[0] |= ~kept.any()
        for name, value in inputs.items():
            if torch.is_tensor(value) and value.dim() and len(value) == rows:
                inputs[name] = value[kept]
        return share_of_loss(self.args.loss_type, mask, kept)

    @torch.no_grad()
    def _sums_by_rank(self, inputs: dict) -> torch.Tensor:
        logps, old, advantages = self._loss_logps, inputs.get("old_per_token_logps"), inputs["advantages"]
        log_ratio = torch.zeros_like(logps) if old is None else logps - old
        kl = torch.zeros_like(logps)
        if self.beta != 0:
            gap = inputs["ref_per_token_logps"] - logps
            kl = gap.exp() - gap - 1
        ratio, loss = log_ratio.exp(), self.args.loss_type
        clipped = (advantages > 0) & (ratio > self.epsilon_high + (loss != "cispo"))
        if loss != "cispo":
            clipped |= (advantages < 0) & (ratio < 1 - self.epsilon_low)
        if loss == "sapo":  # its gate is soft
            clipped = torch.zeros_like(clipped)
        return rank_sums(log_ratio, kl, clipped, inputs["rank_ids"], self.n_slots)

    def _equal_rank_weights(self, inputs: dict) -> torch.Tensor:
        """(B, T); `num_items_in_batch` is of all the micro-batches that were generated together, in all processes."""
        rows = len(inputs["completion_ids"]) * self.accelerator.num_processes
        if self._mode == "train":
            rows *= self.args.steps_per_generation
        return equal_rank_weights(
            self.args.loss_type, inputs["rank_ids"], inputs["completion_mask"], self.args.rec_num,
            self.args.max_completion_length, inputs["num_items_in_batch"] / rows,
        )  # fmt: skip

    def _get_per_token_logps_and_entropies(self, model, *args, **kwargs):
        # With dropout, the old and the reference log-probabilities would be those of another policy each time.
        with contextlib.nullcontext() if torch.is_grad_enabled() else evaluating(model):
            logps, *rest = super()._get_per_token_logps_and_entropies(model, *args, **kwargs)
        inputs = self._loss_inputs
        if inputs is None:
            return logps, *rest
        self._loss_logps = logps.detach()
        if self.args.ratio_level == "item" and inputs.get("old_per_token_logps") is not None:
            inputs["old_per_token_logps"] = rank_level_old_logps(
                self._loss_logps, inputs["old_per_token_logps"], inputs["rank_ids"], self.n_slots
            )
        return logps, *rest

    def _kept(self) -> dict:
        kept = {"rank_sums": self._rank_sums.get("train"), "processes": self.accelerator.num_processes}
        return super()._kept() | kept

    def _restore(self, kept: dict) -> None:
        super()._restore(kept)
        self._rank_sums.pop("train", None)
        # Of this process: as many must go on, or one would wait for what no other adds up.
        sums = kept.get("rank_sums") if kept.get("processes") == self.accelerator.num_processes else None
        if torch.is_tensor(sums) and sums.shape[1] == self.n_slots:
            self._rank_sums["train"] = sums

    def log(self, logs, start_time=None):
        # Rates of all steps since the last line are of their sums; TRL would average the rates of steps.
        if torch.is_tensor(sums := self._rank_sums.pop(self._mode, None)):
            sums = self.accelerator.reduce(sums, "sum")
            self._metrics[self._mode] |= {name: [value] for name, value in rank_metrics(sums, self.beta != 0).items()}
            if self._mode == "train":
                self._keep_loss(rank_table(sums, self.beta != 0))
        super().log(logs, start_time)
