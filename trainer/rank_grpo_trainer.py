"""GRPO with one reward and one advantage per rank, as a thin subclass of TRL's trainer.

Private seams of `trl.GRPOTrainer` are used; generation, KL, clipping, vLLM, LoRA, logging and checkpoints stay TRL's:

1. `_calculate_rewards`: keeps the (N, F, S) table of rank rewards; TRL sees their sums over ranks, for its metrics.
2. `_generate_and_score_completions`: its (B,) advantages become (B, T), each token that of its rank.
3. `_generate_single_turn`: answers are sampled without dropout.

The loss's are in `trainer.rank_loss`, those of checkpoints in `trainer.resuming`. tests/trainer/test_contract.py names all.
"""

import sys
from collections import Counter, defaultdict
from copy import copy
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from accelerate.utils import gather, gather_object
from transformers.trainer_utils import has_length

from oracle import UserError
from oracle.annotate import Annotator
from trainer.advantages import gdpo_advantages, grpo_advantages
from trainer.answers import read_answers
from trainer.config import RankGRPOConfig
from trainer.credit import NO_RANK, pad_slots
from trainer.dropout import evaluating
from trainer.log_check import check_functions, check_log
from trainer.metrics import EvasionWatch, advantage_metrics, correction_metrics, list_counts, list_metrics
from trainer.own_rewards import as_rank_reward, check_names, is_own, name_of, rank_table
from trainer.rank_loss import RankLossTrainer
from trainer.ratio import corrections, generator_log_ratios, of_tokens
from trainer.rewards import RankRewardFunc
from trainer.rollout_log import LogWriter, concat, step_tables
from trainer.vllm_sync import check_server, sync_without_rounding


class RankGRPOTrainer(RankLossTrainer):
    """Trains a recommender with per-rank credit (Rank-GRPO, Zhu et al. 2025; Safe-Rank-GRPO).

    Args:
        model, args, train_dataset, processing_class, peft_config, …: as for `trl.GRPOTrainer`.
        reward_funcs: functions of `trainer.rewards`, sharing an annotator, and any of your own (`trainer.own_rewards`), or one
            alone; their weights are `args.reward_weights`. What `make_safe_reward_func` makes counts as its two parts.
        annotator: annotates each batch, once for rewards, credit, metrics and log; by default that of the reward functions.
            Without one there are no verdicts to log.
        rollout_log: where each step's verdicts, rewards and advantages go; None keeps no log.
        evaluation_log: the same of each evaluation, as the step after which it was made; a run of kind evaluate.
    """

    args: RankGRPOConfig

    def __init__(
        self,
        model,
        reward_funcs: RankRewardFunc | list[RankRewardFunc],
        args: RankGRPOConfig,
        *,
        annotator: Annotator | None = None,
        rollout_log: LogWriter | None = None,
        evaluation_log: LogWriter | None = None,
        **kwargs,
    ):
        reward_funcs = [reward_funcs] if callable(reward_funcs) else reward_funcs
        self.annotator = annotator or next((f.annotator for f in reward_funcs if hasattr(f, "annotator")), None)
        reward_funcs, args = _in_parts(reward_funcs, args)
        _refuse(kwargs)
        check_names(reward_funcs)
        check_functions(reward_funcs, args, self.annotator)
        for log in filter(None, (rollout_log, evaluation_log)):
            if self.annotator is None:
                raise UserError(
                    "a rollout log needs verdicts: name the annotator, or use a reward function made with one"
                )
            check_log(log, reward_funcs, args, self.annotator, in_training=log is rollout_log)
        if rollout_log is not None and rollout_log is evaluation_log:
            raise UserError("evaluation_log: expected a run of its own, as evaluations would replace steps of training")
        if evaluation_log is not None and isinstance(kwargs.get("eval_dataset"), dict):
            raise UserError("evaluation_log: takes one eval_dataset, whose evaluation is a step of the log")
        reward_funcs = [as_rank_reward(f, self.annotator, args.rec_num) if is_own(f) else f for f in reward_funcs]
        self.rollout_log, self.evaluation_log = rollout_log, evaluation_log
        self._evaluated: list[tuple[pa.Table, pa.Table]] = []
        self._n_asked, self._n_answered = sys.maxsize, 0  # answers of an evaluation
        self._rank_rewards: list[np.ndarray] = []
        self._evasion = EvasionWatch()
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by mode
        # The main process alone has the log, but all must agree on whether to send their share.
        self._logs_rollouts = any(gather_object([rollout_log is not None]))
        self._logs_evaluations = any(gather_object([evaluation_log is not None]))
        super().__init__(model, [self._keep_ranks(f) for f in reward_funcs], args, **kwargs)
        # As they were given, and as the log has them. TRL's own are rounded to float32, and where two answers earn as much,
        # what was rounded away would stand between them, divided by a deviation of nearly 0.
        self._weights = torch.tensor(args.reward_weights or [1.0] * len(reward_funcs), dtype=torch.float64)  # (F,)
        if self.use_vllm:
            sync_without_rounding(self.vllm_generation)
            if self.vllm_mode == "server" and self.vllm_importance_sampling_correction:
                check_server(self.vllm_generation, self.temperature)

    def _keep_ranks(self, reward_func: RankRewardFunc):
        """The reward function that TRL calls: the sum over ranks, with the table of ranks put aside."""

        def row_sums(**batch) -> list[float]:
            padded = rank_table(reward_func, reward_func(**batch), len(batch["completions"]), self.n_slots)
            padded[self._answers.left_out] = np.nan
            self._rank_rewards.append(padded)
            return np.nansum(padded, axis=1).tolist()

        row_sums.__name__ = name_of(reward_func)
        return row_sums

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        ended = [len(ids) > 0 and int(ids[-1]) in self.eos_token_ids for ids in completion_ids_list]
        self._answers = read_answers(self._tokenizer, completion_ids_list, ended, inputs, self.annotator, self.args)
        self._rank_rewards = []
        told = [{**x, "ended": e} for x, e in zip(inputs, ended, strict=True)]
        row_sums = super()._calculate_rewards(told, prompts, self._answers.texts, completion_ids_list)
        self._local_rewards = np.stack(self._rank_rewards, axis=1)  # (n, F, S)
        return row_sums

    def _generate_and_score_completions(self, inputs):
        training = self.model.training  # type: ignore[union-attr]
        out = super()._generate_and_score_completions(inputs)
        self.model.train(training)  # type: ignore[union-attr]  # one of TRL's ways to generate leaves it in training
        answers, device, n, group = self._answers, self.accelerator.device, len(inputs), self._group_size
        rewards = gather(torch.from_numpy(self._local_rewards).to(device))  # (N, F, S)
        normalise = grpo_advantages if self.args.advantage_mode == "grpo" else gdpo_advantages
        # Evaluation may sample one answer a prompt, which has nothing to be compared with.
        all_advantages = (
            normalise(rewards, self._weights.to(device), group) if group > 1 else torch.zeros_like(rewards[:, 0])
        )
        added = None
        if self.args.length_control and self._mode == "train":
            added = answers.length_control(self.args.rec_num, self.args.length_control)  # (n, S)
            all_advantages = all_advantages + gather(added.to(all_advantages))
        first = self.accelerator.process_index * n
        advantages = all_advantages[first : first + n]  # (n, S)

        slots = pad_slots(answers.slots, out["completion_ids"].shape[1]).to(device)
        per_token = advantages.to(torch.float32).gather(1, slots.clamp(min=0))
        out["advantages"] = torch.where(slots == NO_RANK, 0.0, per_token)  # (n, T)
        out["rank_ids"] = slots
        if "importance_sampling_ratio" in out and self.vllm_importance_sampling_mode.startswith("sequence_"):
            self._correct_by_rank(out)

        for name, value in advantage_metrics(all_advantages, group).items():
            self._metrics[self._mode][name].append(value)
        if answers.judged is None:
            return out
        n_asked = n
        if self._mode == "eval":
            first += self._n_answered
            self._n_answered += n * self.accelerator.num_processes
            n_asked = self._n_asked - first
        counts = list_counts(answers.judged, self.args.rec_num, self.accelerator, n_asked)
        self._counts[self._mode] += counts
        if self._mode == "train":
            if self.accelerator.is_main_process:  # all processes count the same; one of them warns
                self._evasion.update(counts)
            if self._logs_rollouts:
                step = self.state.global_step + 1
                shares = gather_object([self._step_tables(step, inputs, first, advantages, added)])
                if self.rollout_log is not None:
                    self.rollout_log.write_step(step, *concat(shares))
        elif self._logs_evaluations:
            self._evaluated.append(self._step_tables(self.state.global_step, inputs, first))
        return out

    def evaluation_loop(self, dataloader, *args, **kwargs):
        # Processes that would have too little for a last batch are given the first prompts again: these count once, in the
        # rates as in the log. Of a dataset without a length nobody knows which they are.
        prompts, each = dataloader.dataset, self.num_generations_eval or 1
        self._n_asked = len(prompts) * each if has_length(prompts) else sys.maxsize
        self._n_answered, self._evaluated = 0, []
        output = super().evaluation_loop(dataloader, *args, **kwargs)
        if self._logs_evaluations and self._evaluated:
            shares = gather_object(self._evaluated)
            if self.evaluation_log is not None:
                asked = pc.field("completion") < self._n_asked
                self.evaluation_log.write_step(
                    self.state.global_step, *(table.filter(asked) for table in concat(shares))
                )
        return output

    def _correct_by_rank(self, out: dict) -> None:
        """Replace TRL's correction, one product over the whole answer, by the geometric mean of each rank."""
        slots, low, high = (
            out["rank_ids"],
            self.vllm_importance_sampling_clip_min,
            self.vllm_importance_sampling_clip_max,
        )
        logs = generator_log_ratios(out["old_per_token_logps"], out["sampling_per_token_logps"], slots, self.n_slots)
        by_rank = corrections(logs, self.vllm_importance_sampling_mode, low, high)
        out["importance_sampling_ratio"] = torch.where(slots == NO_RANK, 1.0, of_tokens(by_rank, slots))  # (n, T)
        metrics = self._metrics[self._mode]
        for name in ("min", "mean", "max"):
            metrics[f"sampling/importance_sampling_ratio/{name}"].pop()  # of the product
        for name, value in correction_metrics(gather(logs.exp()), gather(by_rank)).items():
            metrics[f"sampling/importance_sampling_ratio/{name}"].append(value)

    def log(self, logs, start_time=None):
        # Rates of all steps since the last line are of their sums; TRL would average the rates of steps.
        if counts := self._counts.pop(self._mode, None):
            self._metrics[self._mode] |= {name: [value] for name, value in list_metrics(counts).items()}
        super().log(logs, start_time)

    def _keep_loss(self, by_rank: pa.Table) -> None:
        if self.rollout_log is not None:
            self.rollout_log.write_loss(self.state.global_step, by_rank)

    @property
    def _group_size(self) -> int:
        return (self.num_generations if self._mode == "train" else self.num_generations_eval) or 1

    def _step_tables(
        self, step: int, inputs, first: int, advantages: torch.Tensor | None = None, added: torch.Tensor | None = None
    ) -> tuple[pa.Table, pa.Table]:
        """This process's share of a step as the log has it; `first` is the number of its first answer there."""
        answers = self._answers
        assert answers.judged is not None
        return step_tables(
            answers.judged,
            step=step,
            first_completion=first,
            num_generations=self._group_size,
            prompts=[x["prompt"] for x in inputs],
            dataset_ids=[x.get("id") for x in inputs],
            rewards={f: self._local_rewards[:, i] for i, f in enumerate(self.reward_func_names)},
            weights=self._weights.tolist(),
            advantages=None if advantages is None else advantages.cpu().numpy(),
            slots=answers.slots,
            ended=answers.ended,
            cut_off=answers.cut_off,
            left_out=answers.left_out,
            length_control=None if added is None else added.numpy(),
        )

    def _generate_single_turn(self, *args, **kwargs):
        # TRL tells training from evaluation by the mode of the model itself: that stays.
        with evaluating(*self.model.children()):  # type: ignore[union-attr]
            return super()._generate_single_turn(*args, **kwargs)

    def _kept(self) -> dict:
        return super()._kept() | {"evasion": asdict(self._evasion), "counts": dict(self._counts["train"])}

    def _restore(self, kept: dict) -> None:
        super()._restore(kept)
        self._evasion = EvasionWatch(**kept["evasion"])
        self._counts["train"] = Counter(kept.get("counts", {}))


def _in_parts(functions: list[RankRewardFunc], args: RankGRPOConfig) -> tuple[list[RankRewardFunc], RankGRPOConfig]:
    """Reward functions that are sums of others as these, each with the weight of the sum."""
    parts = [getattr(function, "parts", [function]) for function in functions]
    weights = args.reward_weights
    if weights is not None and len(weights) != len(functions):
        raise UserError(
            f"reward_weights has {len(weights)} numbers: expected one for each of {len(functions)} reward_funcs"
        )
    if weights is not None:
        args = copy(args)
        args.reward_weights = [weight for weight, of in zip(weights, parts, strict=True) for _ in of]
    return [part for of in parts for part in of], args


def _refuse(options: dict) -> None:
    """Raises `UserError` for what TRL's trainer does and per-rank credit can't follow."""
    for option in ("tools", "rollout_func", "environment_factory"):
        if options.get(option):
            raise UserError(f"{option}: puts text that the policy did not write into its answers; leave it out")
