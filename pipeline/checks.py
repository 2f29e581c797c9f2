"""Refusing what can't be honoured, before any model is loaded, with the fix."""

import importlib.util
import os
from pathlib import Path

import torch
from accelerate import PartialState

from oracle import UserError
from pipeline.settings import CommonSettings, TrainSettings


def check_common(settings: CommonSettings) -> None:
    """Raises `UserError` for the first thing that SFT or training can't do here."""
    for name in ("per_device_train_batch_size", "gradient_accumulation_steps"):
        if getattr(settings, name) < 1:
            raise UserError(f"--{name} {getattr(settings, name)}: expected at least 1")
    if not settings.lr > 0:
        raise UserError(f"--lr {settings.lr}: expected a positive number")
    if settings.bf16 and torch.cuda.is_available() and not torch.cuda.is_bf16_supported():
        raise UserError("--bf16: this GPU has no bfloat16; leave the flag out")
    if settings.output_dir and Path(settings.output_dir).is_file():
        raise UserError(f"--output_dir {settings.output_dir}: is a file; name a folder")


def check_training(settings: TrainSettings) -> None:
    """Raises `UserError` for the first thing that training can't do here."""
    check_common(settings)
    processes = PartialState().num_processes
    if settings.num_generations < 2:
        raise UserError(f"--num_generations {settings.num_generations}: a group needs at least 2 answers")
    batch = settings.per_device_train_batch_size * settings.gradient_accumulation_steps * processes
    if batch % settings.num_generations:
        raise UserError(
            f"--num_generations {settings.num_generations} does not divide the batch of {batch} answers "
            f"(per_device_train_batch_size {settings.per_device_train_batch_size} x gradient_accumulation_steps "
            f"{settings.gradient_accumulation_steps} x {processes} processes): change one of them"
        )
    if settings.mu < 1:
        raise UserError(f"--mu {settings.mu}: expected at least 1")
    if settings.use_vllm:
        if importlib.util.find_spec("vllm") is None:
            raise UserError(
                "--use_vllm: vLLM is not installed; pip install 'safe-rank-grpo[vllm]', or leave the flag out"
            )
        if not torch.cuda.is_available():
            raise UserError("--use_vllm: no GPU here; leave the flag out to generate with transformers")
        if processes % settings.vllm_tensor_parallel_size:
            raise UserError(
                f"--vllm_tensor_parallel_size {settings.vllm_tensor_parallel_size} does not divide the {processes} "
                "processes: change --num_processes of the launcher, or the size"
            )
    if "8bit" in settings.optim or "paged" in settings.optim:
        if importlib.util.find_spec("bitsandbytes") is None:
            raise UserError(f"--optim {settings.optim}: needs bitsandbytes; pip install 'safe-rank-grpo[bnb]'")
        if not torch.cuda.is_available():
            raise UserError(f"--optim {settings.optim}: needs a GPU; use adamw_torch here")
    if settings.wandb_project and importlib.util.find_spec("wandb") is None:
        raise UserError("--wandb_project: wandb is not installed; pip install 'safe-rank-grpo[wandb]'")
    folder = settings.output_dir
    if folder and not settings.resume and Path(folder).is_dir() and os.listdir(folder):
        raise UserError(f"--output_dir {folder}: in use; name another folder, or go on with --resume {folder}")
    if settings.resume:
        last_checkpoint(settings.resume)


def last_checkpoint(run: str) -> Path:
    """The newest checkpoint in the folder of a run; raises `UserError` if there is none to go on from."""
    checkpoints = sorted(Path(run).glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    if not checkpoints or not (Path(run) / "run_id").exists():
        raise UserError(f"--resume {run}: no checkpoint of a run there; name the folder that train.py printed")
    return checkpoints[-1]
