"""Settings of Rank-GRPO on top of TRL's `GRPOConfig`."""

from dataclasses import dataclass, field

from trl import GRPOConfig

from oracle import UserError
from oracle.answers import MAX_RANK

# TRL options that per-token advantages and an adjusted old log-probability can't express, or that our rewards rule out.
_UNSUPPORTED = {
    "importance_sampling_level": ("token", "the ratio's level is `ratio_level`"),
    "top_entropy_quantile": (1.0, "an entropy mask would drop tokens of a rank but keep their ratio"),
    "use_bias_correction_kl": (False, "it multiplies the KL term by the rank's ratio instead of the token's"),
    "off_policy_mask_threshold": (None, "it masks whole sequences by one advantage, and here each rank has its own"),
    "mask_truncated_completions": (False, "a truncated list still has complete ranks"),
    "multi_objective_aggregation": ("sum_then_normalize", "use `advantage_mode`"),
    "scale_rewards": ("group", "advantages are always divided by the deviation of their group"),
    "remove_unused_columns": (False, "the rewards need the ground truth and the constraints of each prompt"),
    "sync_ref_model": (
        False,
        "no checkpoint keeps the reference that it moves, so that a resumed run would be another",
    ),
    "ignore_data_skip": (False, "a resumed run would begin its epoch again"),
    "log_completions": (False, "its table has one advantage an answer; the rollout log has that of each rank"),
}
_LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo")


@dataclass
class RankGRPOConfig(GRPOConfig):
    """`GRPOConfig` with one reward and one advantage per rank.

    Raises (in `__post_init__`):
        UserError: a TRL option that can't be honoured at the level of ranks, or a value out of range.
    """

    use_bias_correction_kl: bool = field(
        default=False, metadata={"help": "TRL's default is True; the rank's ratio must not weigh the KL of a token."}
    )
    rec_num: int = field(default=20, metadata={"help": "K: ranks of a list that are rewarded."})
    advantage_mode: str = field(
        default="grpo",
        metadata={
            "help": "grpo: sum the rewards, then normalise per rank over the group. "
            "gdpo: normalise each reward on its own first, then scale over the batch."
        },
    )
    ratio_level: str = field(
        default="item",
        metadata={
            "help": "item: one importance ratio a rank, the geometric mean of its tokens' ratios. token: TRL's own."
        },
    )
    end_credit: bool = field(
        default=False,
        metadata={
            "help": "Credit the tokens that end a list to its first missing rank, and tokens beyond rank K to a slot "
            "K + 1 of their own. Off: neither gets any advantage."
        },
    )

    def __post_init__(self):
        super().__post_init__()
        for name, (supported, why) in _UNSUPPORTED.items():
            if (value := getattr(self, name)) != supported:
                raise UserError(f"{name}={value!r} can't be used here ({why}): set {supported!r}")
        if self.loss_type not in _LOSSES:
            raise UserError(f"loss_type={self.loss_type!r} has no per-rank form: use one of {', '.join(_LOSSES)}")
        if self.loss_type == "cispo" and self.epsilon_high is None:
            raise UserError("loss_type='cispo' caps the ratio at epsilon_high: set it (5.0 in TRL's recipe)")
        if self.advantage_mode not in ("grpo", "gdpo"):
            raise UserError(f"advantage_mode={self.advantage_mode!r}: expected grpo or gdpo")
        if self.ratio_level not in ("item", "token"):
            raise UserError(f"ratio_level={self.ratio_level!r}: expected item or token")
        if not 1 <= self.rec_num <= MAX_RANK:
            raise UserError(f"rec_num={self.rec_num}: expected 1 to {MAX_RANK}")
        if (self.steps_per_generation or 1) < self.gradient_accumulation_steps:
            raise UserError(
                f"steps_per_generation={self.steps_per_generation} is below gradient_accumulation_steps="
                f"{self.gradient_accumulation_steps}: one generated batch must cover a whole optimiser step"
            )
