"""Settings of Rank-GRPO on top of TRL's `GRPOConfig`."""

import math
from dataclasses import dataclass, field

from transformers import PretrainedConfig
from trl import GRPOConfig

from oracle import UserError
from oracle.answers import MAX_RANK
from trainer.weighting import LOSSES

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
    "enable_jit_checkpoint": (False, "it saves within a step, and a resumed run would count a part of that twice"),
    "log_completions": (False, "its table has one advantage an answer; the rollout log has that of each rank"),
}
# Values of sampling options that leave all of the vocabulary its probability; the first is the one to set.
_FULL_VOCABULARY: dict[str, tuple] = {
    "top_p": (1.0,), "top_k": (0, -1), "min_p": (0.0,), "repetition_penalty": (1.0,), "presence_penalty": (0.0,),
    "frequency_penalty": (0.0,), "min_tokens": (0,), "logit_bias": ({},), "bad_words": ([],),
}  # fmt: skip
# Options of vLLM's that decide what is returned or where an answer ends, not what is likely.
_KEEPS_PROBABILITIES = {
    "temperature", "seed", "stop", "stop_token_ids", "include_stop_str_in_output", "ignore_eos", "max_tokens", "logprobs",
    "detokenize", "skip_special_tokens", "spaces_between_special_tokens", "truncate_prompt_tokens",
}  # fmt: skip
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
    rank_weighting: str = field(
        default="token",
        metadata={
            "help": "token: a rank weighs as many times as it has tokens (Rank-GRPO's public code). rank: each the same, "
            "1/(G·N) Σ_i Σ_k (its paper), with N = rec_num; for the losses grpo, bnpo, dr_grpo and dapo."
        },
    )
    silent_groups: str = field(
        default="keep",
        metadata={
            "help": "keep, or drop: groups in which every advantage is 0 are not computed in the loss, which stays divided by "
            "all answers, so that the gradient is the same. Needs beta = 0: a KL term pulls on silent answers too."
        },
    )
    missing_ranks: str = field(
        default="zero",
        metadata={
            "help": "zero: a rank that a list doesn't have has reward 0. leave_out: it has no part in its group's mean; with "
            "end_credit the first missing rank keeps its reward, that of the list's end."
        },
    )
    end_credit: bool = field(
        default=False,
        metadata={
            "help": "Credit the tokens that end a list to its first missing rank, and tokens beyond rank K to a slot "
            "K + 1 of their own. Off: neither gets any advantage."
        },
    )
    length_control: float = field(
        default=0.0,
        metadata={
            "help": "Added to the advantages, unnormalised, of the tokens that end a list: +X after exactly rec_num films, "
            "-X where it ends early, and -X on all that goes on beyond. Needs end_credit. 0: off."
        },
    )

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.length_control < math.inf:
            raise UserError(f"length_control={self.length_control}: expected a number of at least 0")
        if self.length_control and not self.end_credit:
            raise UserError("length_control is for the tokens that end a list: set end_credit=True too")
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
        if self.rank_weighting not in ("token", "rank"):
            raise UserError(f"rank_weighting={self.rank_weighting!r}: expected token or rank")
        if self.rank_weighting == "rank":
            if self.loss_type not in LOSSES:
                raise UserError(
                    f"rank_weighting='rank' with loss_type={self.loss_type!r}: the mean over ranks is one of clipped "
                    f"ratios; use one of {', '.join(LOSSES)}, or rank_weighting='token'"
                )
            if self.ratio_level != "item":
                raise UserError("rank_weighting='rank' needs one ratio a rank: set ratio_level='item'")
        if self.silent_groups not in ("keep", "drop"):
            raise UserError(f"silent_groups={self.silent_groups!r}: expected keep or drop")
        if self.silent_groups == "drop" and self.beta != 0:
            raise UserError(
                f"silent_groups='drop' with beta={self.beta}: silent answers have a KL term; set beta=0 (--kl_beta 0), or keep them"
            )
        if self.silent_groups == "drop" and (self.entropy_coef != 0 or self.use_adaptive_entropy):
            raise UserError(
                "silent_groups='drop' with an entropy bonus: silent answers have one too; set entropy_coef=0 and "
                "use_adaptive_entropy=False, or keep them"
            )
        if self.missing_ranks not in ("zero", "leave_out"):
            raise UserError(f"missing_ranks={self.missing_ranks!r}: expected zero or leave_out")
        self._refuse_other_probabilities()
        most = MAX_RANK - self.end_credit  # the end of a list has the rank behind its last
        if not 1 <= self.rec_num <= most:
            raise UserError(f"rec_num={self.rec_num}: expected 1 to {most}")
        if (self.steps_per_generation or 1) < self.gradient_accumulation_steps:
            raise UserError(
                f"steps_per_generation={self.steps_per_generation} is below gradient_accumulation_steps="
                f"{self.gradient_accumulation_steps}: one generated batch must cover a whole optimiser step"
            )

    def _refuse_other_probabilities(self) -> None:
        """Refuse what makes a generator's probabilities other than those that training computes.

        vLLM reports them after all that shapes its sampling: renormalised over what top_p, top_k and min_p left, say.
        Training computes those of the whole vocabulary at `temperature`, so that the correction would take what was cut
        off for a mismatch: of 169 tokens that keep 95 % of the mass each, a factor of 0.95^169 = 0.0002.
        """
        own: dict = self.generation_kwargs or {}  # type: ignore[assignment]
        if own.get("temperature", self.temperature) != self.temperature:
            raise UserError(
                f"generation_kwargs: temperature {own['temperature']} would hold for sampling only, and {self.temperature} "
                "for training; leave it out there and set temperature, which holds for both"
            )
        if not (self.use_vllm and self.vllm_importance_sampling_correction):
            return
        shaping = (*_FULL_VOCABULARY, "vllm_structured_outputs_regex")
        asked = {name: getattr(self, name, None) for name in shaping} | own
        for name, value in asked.items():
            if name not in _KEEPS_PROBABILITIES and value not in (None, *_FULL_VOCABULARY.get(name, ())):
                full = _FULL_VOCABULARY.get(name, (None,))[0]
                raise UserError(
                    f"{name}={value!r} with vLLM: its log-probabilities would not be those of the whole vocabulary, and the "
                    f"correction for them (vllm_importance_sampling_correction) would weigh answers by what was cut off; "
                    f"set {name}={full!r}, or vllm_importance_sampling_correction=False"
                )


def check_router(args: RankGRPOConfig, model: PretrainedConfig) -> None:
    """Raises `UserError` where silent answers are dropped that a mixture of experts balances its load by."""
    text = model.get_text_config()
    given = args.router_aux_loss_coef
    coefficient = getattr(text, "router_aux_loss_coef", 0.0) if given is None else given
    if args.silent_groups == "drop" and coefficient and hasattr(text, "output_router_logits"):
        raise UserError(
            f"silent_groups='drop' with router_aux_loss_coef={coefficient}: silent answers have a part in the router's loss; "
            "set router_aux_loss_coef=0, or keep them"
        )
