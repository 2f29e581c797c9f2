"""The settings in TRL's names, and further options of TRL's that have no flag of their own."""

import difflib
import math
import warnings
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import HfArgumentParser, get_scheduler
from transformers.utils import is_liger_kernel_available

from oracle import UserError
from pipeline.settings.chosen_rewards import rewards_the_end
from pipeline.settings.flag_metadata import trl_names
from pipeline.settings.flags import CommonSettings, TrainSettings
from pipeline.training.machine import planned_machine
from pipeline.training.processes import on_cpu
from trainer import RankGRPOConfig

_OURS = trl_names(TrainSettings)
_DERIVED = {
    "output_dir": "output_dir", "reward_weights": "reward_weights", "end_credit": "lambda_end",
    "report_to": "report_to", "project": "wandb_project",
}  # fmt: skip
_SET_HERE = {
    "save_only_model": "a checkpoint holds all that --resume needs",
    "resume_from_checkpoint": "--resume names the run to go on with",
    "fsdp": "accelerate launch --config_file sets it up (pipeline/configs/accelerate/fsdp.yaml)",
    "load_best_model_at_end": "--keep_best keeps the best model beside the last",
    "metric_for_best_model": "--keep_best keeps the model that violates least of those that recall enough",
    "push_to_hub": "nothing is sent from here; upload the folder final/ when it is done",
    "use_cpu": "the GPU is used where there is one; hide it with CUDA_VISIBLE_DEVICES=",
}


def trainer_config(settings: TrainSettings, weights: list[float], folder: str | Path) -> RankGRPOConfig:
    """What the trainer is given.

    Raises:
        UserError: a value or an option of TRL's that can't be honoured.
    """
    # A 3B model's context of 131k would not fit beside its training; and one answer a prompt is what evaluate.py takes.
    length = settings.max_prompt_length + settings.max_completion_length
    options = {"vllm_max_model_length": length, "num_generations_eval": 1} | trl_options(settings.trl)
    # What the best model is measured by comes before the first step, and once: not again where a run goes on.
    options["eval_on_start"] = not settings.resume and (
        settings.keep_best is not None or options.get("eval_on_start", False)
    )
    own = {theirs: getattr(settings, ours) for ours, theirs in _OURS.items()}
    try:
        with warnings.catch_warnings():
            # transformers renames gradient_checkpointing, TRL's own default of which it warns about as well.
            warnings.simplefilter("ignore", FutureWarning)
            config = _config_for(settings)(
                output_dir=str(folder),
                reward_weights=weights,
                end_credit=rewards_the_end(settings),
                save_only_model=False,
                use_cpu=on_cpu(),
                report_to=trackers(settings) or "none",
                project=settings.wandb_project or "safe-rank-grpo",
                **own,
                **options,
            )
    except UserError:
        raise
    except (ValueError, TypeError, NotImplementedError, ImportError) as error:
        raise UserError(f"TRL refuses these settings: {' '.join(str(error).split())}") from None
    check_schedule(settings, config.lr_scheduler_kwargs)  # type: ignore[arg-type]
    check_values(config)
    if config.use_liger_kernel and not is_liger_kernel_available():
        raise UserError("--trl use_liger_kernel=true: liger-kernel is not installed; pip install liger-kernel")
    if config.eval_on_start and settings.eval_strategy == "no":
        raise UserError("--trl eval_on_start: needs --eval_strategy and --val_path; or run evaluate.py")
    return config


def _config_for(settings: TrainSettings) -> type[RankGRPOConfig]:
    """The trainer's configuration, of as many processes as are planned for: TRL divides batches by them."""
    machine = planned_machine(settings.assume_gpus)
    if machine.is_here:
        return RankGRPOConfig

    class Elsewhere(RankGRPOConfig):
        world_size = property(lambda self: machine.processes)  # type: ignore[assignment]

    return Elsewhere


def check_schedule(settings: CommonSettings, arguments: dict | None = None) -> None:
    """Raises `UserError` for a learning-rate schedule whose own arguments are missing or wrong."""
    name, optimiser = settings.lr_scheduler_type, torch.optim.SGD([torch.zeros(1)], lr=settings.lr)
    try:
        get_scheduler(name, optimiser, num_warmup_steps=0, num_training_steps=1000, scheduler_specific_kwargs=arguments)
    except (ValueError, TypeError) as error:
        give = "give them with --trl lr_scheduler_kwargs, or " if isinstance(settings, TrainSettings) else ""
        raise UserError(
            f"--lr_scheduler_type {name}: arguments that it needs are missing or wrong "
            f"({' '.join(str(error).split())}); {give}use another schedule"
        ) from None


def check_values(config: RankGRPOConfig) -> None:
    """Raises `UserError` for options that TRL takes as they are, and that would fail later."""
    for name, valid, expected in (
        ("top_k", lambda k: k >= 0, "at least 0, which is off"),
        ("top_p", lambda p: 0 < p <= 1, "above 0 and at most 1"),
        ("min_p", lambda p: 0 <= p <= 1, "0 to 1"),
        ("repetition_penalty", lambda x: 0 < x < math.inf, "a positive number"),
        ("adam_epsilon", lambda x: 0 <= x < math.inf, "at least 0"),
        ("weight_decay", lambda x: 0 <= x < math.inf, "at least 0"),
    ):
        value = getattr(config, name)
        if value is not None and not valid(value):
            raise UserError(f"--trl {name}={value}: expected {expected}")


def trackers(settings: TrainSettings) -> list[str]:
    """Where the metrics go: `--report_to`, and Weights & Biases if there is a project and no other tracker takes it."""
    if settings.wandb_project and settings.report_to in ("none", "tensorboard"):
        return [name for name in (settings.report_to, "wandb") if name != "none"]
    return [] if settings.report_to == "none" else [settings.report_to]


def trl_options(given: list[str]) -> dict[str, Any]:
    """`--trl NAME=VALUE …` as arguments of `RankGRPOConfig`, of the types that it declares.

    Raises:
        UserError: no such option, a value of another type, or an option that a flag of ours sets.
    """
    flag_of = {theirs: ours for ours, theirs in _OURS.items()} | _DERIVED
    for text in given:
        name, equals, _ = text.partition("=")
        if not equals:
            raise UserError(f"--trl {text}: expected NAME=VALUE")
        if name in flag_of:
            raise UserError(f"--trl {name}: set it with --{flag_of[name]}")
        if name in _SET_HERE:
            raise UserError(f"--trl {name}: can't be set, as {_SET_HERE[name]}")
        if name not in RankGRPOConfig.__dataclass_fields__:
            near = difflib.get_close_matches(name, RankGRPOConfig.__dataclass_fields__, n=3)
            raise UserError(f"--trl {name}: TRL has no such option{'; near: ' + ', '.join(near) if near else ''}")
    parser = _TrlParser(RankGRPOConfig, allow_abbrev=False)  # type: ignore[arg-type]
    parser.set_defaults(**dict.fromkeys(RankGRPOConfig.__dataclass_fields__))
    parsed = vars(parser.parse_args([f"--{text}" for text in given]))
    return {name: value for name, value in parsed.items() if value is not None}


class _TrlParser(HfArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"--trl: {message}")
