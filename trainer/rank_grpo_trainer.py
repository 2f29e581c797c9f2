"""GRPO with one reward and one advantage per rank, as a thin subclass of TRL's trainer.

Private seams of `trl.GRPOTrainer` are used; generation, KL, clipping, vLLM, LoRA, logging and checkpoints stay TRL's:

1. `_calculate_rewards`: keeps the (N, F, S) table of rank rewards; TRL sees their sums over ranks, for its metrics.
2. `_generate_and_score_completions`: its (B,) advantages become (B, T), each token that of its rank.
3. `_generate_single_turn` and `_get_per_token_logps_and_entropies`: answers are sampled, and scored where no gradient
   is asked for, without dropout.
4. `_get_per_token_logps_and_entropies`, inside the loss: the old log-probabilities are shifted such that TRL's
   token-level ratio equals the rank's ratio.

Three more make a resumed run go on as if it had never stopped: `_get_train_sampler`, `_save_checkpoint` and
`_load_optimizer_and_scheduler`. All are named in tests/trainer/test_contract.py.
"""

import contextlib
from collections import Counter, defaultdict
from copy import copy
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import pyarrow as pa
import torch
from accelerate.utils import gather, gather_object
from trl import GRPOTrainer

from oracle import UserError, parse_batch
from oracle.annotate import AnnotatedBatch, Annotator
from oracle.cut_off import cells_of, open_entries, without_open_entries
from trainer.advantages import gdpo_advantages, grpo_advantages, length_control
from trainer.config import RankGRPOConfig
from trainer.credit import NO_RANK, list_slots, pad_slots
from trainer.metrics import (
    EvasionWatch,
    advantage_metrics,
    correction_metrics,
    list_counts,
    list_metrics,
    rank_metrics,
    rank_sums,
)
from trainer.own_rewards import as_rank_reward, is_own, name_of, own_names
from trainer.ratio import corrections, generator_log_ratios, of_tokens, rank_level_old_logps
from trainer.rewards import RankRewardFunc
from trainer.rollout_log import LogWriter, concat, step_tables
from trainer.sampling import EpochSeeded
from trainer.vllm_sync import check_server, sync_without_rounding
from trainer.weighting import equal_rank_weights, share_of_loss


class RankGRPOTrainer(GRPOTrainer):
    """Trains a recommender with per-rank credit (Rank-GRPO, Zhu et al. 2025; Safe-Rank-GRPO).

    Args:
        model, args, train_dataset, processing_class, peft_config, …: as for `trl.GRPOTrainer`.
        reward_funcs: functions of `trainer.rewards`, sharing an annotator, and any of your own (`trainer.own_rewards`); their
            weights are `args.reward_weights`. What `make_safe_reward_func` makes counts as its two parts.
        annotator: annotates each batch, once for rewards, credit, metrics and log; by default that of the reward functions.
            Without one there are no verdicts to log.
        rollout_log: where each step's verdicts, rewards and advantages go; None keeps no log.
    """

    args: RankGRPOConfig

    def __init__(
        self,
        model,
        reward_funcs: list[RankRewardFunc],
        args: RankGRPOConfig,
        *,
        annotator: Annotator | None = None,
        rollout_log: LogWriter | None = None,
        **kwargs,
    ):
        self.annotator = annotator or next((f.annotator for f in reward_funcs if hasattr(f, "annotator")), None)
        reward_funcs, args = _in_parts(reward_funcs, args)
        _refuse(kwargs, [name_of(f) for f in reward_funcs])
        if rollout_log is not None:
            if self.annotator is None:
                raise UserError(
                    "a rollout log needs verdicts: name the annotator, or use a reward function made with one"
                )
            _check_own(own_names(reward_funcs), rollout_log)
        reward_funcs = [as_rank_reward(f, self.annotator, args.rec_num) if is_own(f) else f for f in reward_funcs]
        self.rollout_log = rollout_log
        self.n_slots = args.rec_num + args.end_credit
        self._rank_rewards: list[np.ndarray] = []
        self._loss_inputs: dict | None = None
        self._evasion = EvasionWatch()
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)  # by mode
        self._rank_sums: defaultdict[str, torch.Tensor | float] = defaultdict(float)  # by mode
        # The main process alone has the log, but all must agree on whether to send their share.
        self._logs_rollouts = any(gather_object([rollout_log is not None]))
        super().__init__(model, [self._keep_ranks(f) for f in reward_funcs], args, **kwargs)
        if self.use_vllm:
            sync_without_rounding(self.vllm_generation)
            if self.vllm_mode == "server" and self.vllm_importance_sampling_correction:
                check_server(self.vllm_generation, self.temperature)

    def _keep_ranks(self, reward_func: RankRewardFunc):
        """The reward function that TRL calls: the sum over ranks, with the table of ranks put aside."""

        def row_sums(**batch) -> list[float]:
            ranks = np.asarray(reward_func(**batch), dtype=np.float64)
            n = len(batch["completions"])
            if ranks.ndim != 2 or len(ranks) != n:
                raise UserError(
                    f"{row_sums.__name__} gives rewards of shape {ranks.shape}: expected (completions, ranks), "
                    f"{n} rows here"
                )
            if np.isinf(ranks).any():
                raise UserError(
                    f"{row_sums.__name__} gives infinite rewards: expected numbers, or NaN to leave a rank out"
                )
            if ranks.shape[1] > self.n_slots:
                raise ValueError(
                    f"{row_sums.__name__} gives {ranks.shape[1]} slots, but the trainer has {self.n_slots}: "
                    "set rec_num to the same K, and end_credit=True for a reward of the list's end"
                )
            padded = np.zeros((len(ranks), self.n_slots))
            padded[:, : ranks.shape[1]] = ranks
            padded[self._left_out] = np.nan
            self._rank_rewards.append(padded)
            return np.nansum(padded, axis=1).tolist()

        row_sums.__name__ = name_of(reward_func)
        return row_sums

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        # One text for parsing, rewards and credit: what the tokens decode to, whatever a response parser makes of it.
        texts = self._tokenizer.batch_decode(completion_ids_list, skip_special_tokens=True)
        self._ended = [len(ids) > 0 and int(ids[-1]) in self.eos_token_ids for ids in completion_ids_list]
        columns = ("groundtruth_with_release_year", "seen_titles", "constraints")
        samples = ([x.get(c) or [] for x in inputs] for c in columns)
        judged = self.annotator.annotate(texts, *samples) if self.annotator else None
        entries = judged.entries if judged else parse_batch(texts)
        self._entries = entries
        self._judged = judged and without_open_entries(judged, self._ended)
        is_open = open_entries(entries, texts, self._ended)
        self._cut_off = entries.filter(pa.array(is_open))
        self._left_out = np.zeros((len(texts), self.n_slots), dtype=bool)
        self._left_out[cells_of(self._cut_off, self.n_slots)] = True
        if self.args.missing_ranks == "leave_out":
            whole = self._judged.entries if self._judged else entries.filter(pa.array(~is_open))
            n_films = np.bincount(whole["completion"].to_numpy(), minlength=len(texts))[:, None]
            missing = np.arange(self.n_slots) >= n_films + self.args.end_credit
            self._left_out |= missing & (np.arange(self.n_slots) < self.args.rec_num)
        self._rank_rewards = []
        told = [{**x, "ended": ended} for x, ended in zip(inputs, self._ended, strict=True)]
        row_sums = super()._calculate_rewards(told, prompts, texts, completion_ids_list)
        self._local_rewards = np.stack(self._rank_rewards, axis=1)  # (n, F, S)
        self._slots = list_slots(
            self._tokenizer,
            [np.asarray(ids) for ids in completion_ids_list],
            texts,
            entries,
            self.args.rec_num,
            self.args.end_credit,
            self._ended,
        )
        return row_sums

    def _generate_and_score_completions(self, inputs):
        training = self.model.training  # type: ignore[union-attr]
        out = super()._generate_and_score_completions(inputs)
        self.model.train(training)  # type: ignore[union-attr]  # one of TRL's ways to generate leaves it in training
        device, n, group = self.accelerator.device, len(inputs), self._group_size
        rewards = gather(torch.from_numpy(self._local_rewards).to(device))  # (N, F, S)
        normalise = grpo_advantages if self.args.advantage_mode == "grpo" else gdpo_advantages
        # Evaluation may sample one answer a prompt, which has nothing to be compared with.
        all_advantages = (
            normalise(rewards, self.reward_weights.to(device), group) if group > 1 else torch.zeros_like(rewards[:, 0])
        )
        first = self.accelerator.process_index * n
        advantages = all_advantages[first : first + n]  # (n, S)
        added = None
        if self.args.length_control and self._mode == "train":
            added = self._length_control(n)
            advantages = advantages + added.to(advantages)

        slots = pad_slots(self._slots, out["completion_ids"].shape[1]).to(device)
        per_token = advantages.to(torch.float32).gather(1, slots.clamp(min=0))
        out["advantages"] = torch.where(slots == NO_RANK, 0.0, per_token)  # (n, T)
        out["rank_ids"] = slots
        if "importance_sampling_ratio" in out and self.vllm_importance_sampling_mode.startswith("sequence_"):
            self._correct_by_rank(out)

        for name, value in advantage_metrics(all_advantages, group).items():
            self._metrics[self._mode][name].append(value)
        if self._judged is not None:
            counts = list_counts(self._judged, self.args.rec_num, self.accelerator)
            self._counts[self._mode] += counts
        if self._mode == "train" and self._judged is not None:
            if self.accelerator.is_main_process:  # all processes count the same; one of them warns
                self._evasion.update(counts)
            if self._logs_rollouts:
                self._log_rollouts(self._judged, inputs, advantages.cpu().numpy(), first, added)
        return out

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
        if torch.is_tensor(sums := self._rank_sums.pop(self._mode, None)):
            by_rank = rank_metrics(self.accelerator.reduce(sums, "sum"), self.beta != 0)
            self._metrics[self._mode] |= {name: [value] for name, value in by_rank.items()}
        super().log(logs, start_time)

    @property
    def _mode(self) -> str:
        return "train" if self.model.training else "eval"  # type: ignore[union-attr]

    @property
    def _group_size(self) -> int:
        return (self.num_generations if self._mode == "train" else self.num_generations_eval) or 1

    def _length_control(self, n: int) -> torch.Tensor:
        """(n, S); 0 where a title was cut off, which is no end."""
        films = np.bincount(self._entries["completion"].to_numpy(), minlength=n) - np.bincount(
            self._cut_off["completion"].to_numpy(), minlength=n
        )
        added = length_control(torch.from_numpy(films), self.args.rec_num, self.args.length_control)
        added[cells_of(self._cut_off, self.n_slots)] = 0.0
        return added

    def _log_rollouts(
        self, judged: AnnotatedBatch, inputs, advantages: np.ndarray, first: int, added: torch.Tensor | None
    ) -> None:
        tables = step_tables(
            judged,
            step=self.state.global_step + 1,
            first_completion=first,
            num_generations=self._group_size,
            prompts=[x["prompt"] for x in inputs],
            rewards={f: self._local_rewards[:, i] for i, f in enumerate(self.reward_func_names)},
            weights=self.reward_weights.tolist(),
            advantages=advantages,
            slots=self._slots,
            ended=self._ended,
            cut_off=self._cut_off,
            left_out=self._left_out,
            length_control=None if added is None else added.numpy(),
        )
        shares = gather_object([tables])
        if self.rollout_log is not None:
            self.rollout_log.write_step(self.state.global_step + 1, *concat(shares))

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
        ratio, cispo = log_ratio.exp(), self.args.loss_type == "cispo"
        clipped = (advantages > 0) & (ratio > self.epsilon_high + (not cispo))
        if not cispo:
            clipped |= (advantages < 0) & (ratio < 1 - self.epsilon_low)
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

    def _generate_single_turn(self, *args, **kwargs):
        # TRL tells training from evaluation by the mode of the model itself: that stays.
        with evaluating(*self.model.children()):  # type: ignore[union-attr]
            return super()._generate_single_turn(*args, **kwargs)

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

    def _get_train_sampler(self, dataset=None):
        return EpochSeeded(super()._get_train_sampler(dataset), lambda: int(self.state.epoch or 0))

    def _save_checkpoint(self, model, trial):
        if not self.args.save_only_model:
            # First, as the checkpoint counts as whole once super has written its last file.
            self._save_rollouts(Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}")
            self.accelerator.wait_for_everyone()
        super()._save_checkpoint(model, trial)

    def _save_rollouts(self, checkpoint: Path) -> None:
        """With num_iterations > 1 a batch may be used again after this step; TRL would sample another one instead."""
        checkpoint.mkdir(parents=True, exist_ok=True)
        state = {
            "step": self._step, "rollouts": self._buffered_inputs, "made_for": self._made_for,
            "evasion": asdict(self._evasion),
        }  # fmt: skip
        part = checkpoint / f"{self._rollouts_file}.part"
        torch.save(state, part)
        part.replace(checkpoint / self._rollouts_file)

    def _load_optimizer_and_scheduler(self, checkpoint):
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        saved, device = Path(checkpoint) / self._rollouts_file, self.accelerator.device
        if saved.exists():
            place = "cpu" if device.type == "cpu" else device  # torch.load knows no cpu:0
            try:
                state = torch.load(saved, map_location=place, weights_only=True)
            except (EOFError, RuntimeError, UnpicklingError):
                raise UserError(
                    f"{saved}: can't be read; without {checkpoint}, the one before is gone on with"
                ) from None
            self._evasion = EvasionWatch(**state["evasion"])
            made_for, half_used = state["made_for"], state["step"] % state["made_for"]["steps"]
            if other := [name for name, value in self._made_for.items() if value != made_for[name]]:
                if half_used:
                    raise UserError(
                        f"{saved}: holds answers that are still to be used, made for other {', '.join(other)} "
                        f"({made_for}): resume with the same, or from another checkpoint"
                    )
            else:
                self._step, self._buffered_inputs = state["step"], state["rollouts"]
        elif self._made_for["steps"] > self.args.gradient_accumulation_steps:
            raise UserError(
                f"{saved}: not there, but this run uses a generated batch for several steps: resume from another "
                "checkpoint, with as many processes as wrote it"
            )

    @property
    def _made_for(self) -> dict[str, int | bool]:
        """What a generated batch fits: its size, the backward passes that it is used for, and what they need of it."""
        args = self.args
        return {
            "batch": args.per_device_train_batch_size, "steps": (args.steps_per_generation or 1) * args.num_iterations,
            "kl_beta": args.beta != 0, "use_vllm": args.use_vllm,
        }  # fmt: skip

    @property
    def _rollouts_file(self) -> str:
        return f"rollouts_{self.accelerator.process_index}.pt"


@contextlib.contextmanager
def evaluating(*models: torch.nn.Module):
    """All their modules in evaluation mode, without dropout; afterwards each is in the mode that it was in."""
    training = [module for model in models for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _in_parts(functions: list[RankRewardFunc], args: RankGRPOConfig) -> tuple[list[RankRewardFunc], RankGRPOConfig]:
    """Reward functions that are sums of others as these, each with the weight of the sum."""
    parts = [getattr(function, "parts", [function]) for function in functions]
    weights = args.reward_weights
    if weights is not None and len(weights) == len(functions):
        args = copy(args)
        args.reward_weights = [weight for weight, of in zip(weights, parts, strict=True) for _ in of]
    return [part for of in parts for part in of], args


def _check_own(names: list[str], log: LogWriter) -> None:
    """Raises `UserError` where the log's run says nothing of the weight of a reward, or of one that isn't there."""
    if set(names) != set(known := dict(log.run["own_weights"] or {})):
        given = {name: known.get(name, 1.0) for name in names}
        raise UserError(f"own rewards {names}: begin the run's log with LogWriter(root, {{…, 'own_weights': {given}}})")


def _refuse(options: dict, reward_names: list[str]) -> None:
    """Raises `UserError` for what TRL's trainer does and per-rank credit can't follow."""
    for option in ("tools", "rollout_func", "environment_factory"):
        if options.get(option):
            raise UserError(f"{option}: puts text that the policy did not write into its answers; leave it out")
    if twice := {name for name in reward_names if reward_names.count(name) > 1}:
        raise UserError(f"two reward functions are called {sorted(twice)[0]!r}: name one otherwise")
