"""What a training run will do, told before it loads a weight: its settings, batches, steps and memory."""

import math
from dataclasses import asdict, fields, replace

from datasets import Dataset
from peft import PeftModel
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from transformers import PreTrainedModel

from oracle import UserError
from pipeline.settings.chosen_rewards import reward_weights
from pipeline.settings.flags import TrainSettings
from pipeline.settings.trl_config import trainer_config
from pipeline.training.machine import Machine, planned_machine
from pipeline.training.memory import expected_memory, peak, vllm_answers
from pipeline.training.processes import this_process
from trainer import RankGRPOConfig

SPARED = 0.9  # of the memory may be planned: the rest is for libraries, and for what lies between allocations
LITTLE = 0.15  # of a GPU for vLLM
ADAM = ("adamw_torch", "adamw_torch_fused")


def check_plan(settings: TrainSettings, dataset: Dataset) -> None:
    """Raises `UserError` if the data don't fill a single batch."""
    config = _config(settings)
    if len(dataset) < prompts_at_once(config):
        raise UserError(
            f"--train_path {settings.train_path}: its {len(dataset)} prompts don't fill a batch of "
            f"{prompts_at_once(config)} ({config.generation_batch_size} answers, {config.num_generations} to each): "
            "lower --gradient_accumulation_steps or --per_device_train_batch_size, or raise --num_generations"
        )


def prompts_at_once(config: RankGRPOConfig) -> int:
    """Prompts that are answered together."""
    assert config.generation_batch_size is not None and config.num_generations is not None
    return config.generation_batch_size // config.num_generations


def planned_steps(settings: TrainSettings, dataset: Dataset) -> int:
    """Optimiser steps of a whole run with these settings."""
    return optimiser_steps(_config(settings), len(dataset))


def optimiser_steps(config: RankGRPOConfig, prompts: int) -> int:
    """Steps of the whole run. An epoch leaves out the prompts that don't fill a last batch."""
    if config.max_steps > 0:
        return config.max_steps
    batches = prompts // prompts_at_once(config) * (config.steps_per_generation or 1) * config.num_iterations
    return math.ceil(config.num_train_epochs * max(math.ceil(batches / config.gradient_accumulation_steps), 1))


def print_plan(
    settings: TrainSettings, model: PreTrainedModel | PeftModel, dataset: Dataset, prompt_tokens: int
) -> None:
    """Print the effective settings, the batches, the steps and the memory of a run."""
    if not this_process().is_main_process:
        return
    config = _config(settings)
    machine = planned_machine(settings.assume_gpus)
    console = Console(width=120, highlight=False)
    _print_settings(console, settings)
    console.print(_rows("Batches", _batches(settings, config, dataset, prompt_tokens)))
    print_memory(console, settings, model, prompt_tokens, machine)
    console.print("No weights were loaded and nothing was trained; without --dry_run, training starts.")


def print_memory(
    console: Console, settings: TrainSettings, model: PreTrainedModel | PeftModel, prompt_tokens: int, machine: Machine
) -> None:
    """What a process holds, whether that fits, and what to lower where it does not."""

    def needed(changed: TrainSettings) -> dict[str, int]:
        return expected_memory(changed, _config(changed), model, prompt_tokens, machine)

    memory = needed(settings)
    parameters = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    gpus = "the GPU" if machine.processes == 1 else f"each of {machine.processes} GPUs"
    where = "here" if machine.is_here else f"of {gpus}"
    rows = {"parameters": f"{parameters:,}, {trained:,} of them trained ({trained / parameters:.2%})"}
    rows |= {name: _size(size) for name, size in memory.items()}
    rows |= {"expected at most": f"{_size(peak(memory))} of {_size(machine.memory)} {where}"}
    if "vLLM" in memory:
        answers = vllm_answers(settings, model, prompt_tokens + settings.max_completion_length, machine)
        rows["vLLM answers at once"] = f"{max(answers, 0):,.1f} of full length" + (
            "" if answers >= 1 else ": too few, raise --vllm_gpu_memory_utilization"
        )
    console.print(_rows("Memory a process", rows))
    if peak(memory) <= machine.memory * SPARED:
        console.print(f"This fits: at most {SPARED:.0%} of the memory is needed.")
        return
    console.print(
        f"This will not fit: more than {SPARED:.0%} of the memory is needed. What to lower, each by itself and at last all:"
    )
    table = Table("change", "expected at most", "", box=None, pad_edge=False)
    for change, changed in lower(settings, machine):
        size = peak(needed(changed))
        table.add_row(change, _size(size), "fits" if size <= machine.memory * SPARED else "")
    console.print(table)
    if not settings.use_lora:
        sharded = ", or divide the weights over the GPUs (pipeline/configs/accelerate/fsdp.yaml)" * (
            machine.processes > 1
        )
        console.print(f"Or train an adapter with --use_lora{sharded}.")


def lower(settings: TrainSettings, machine: Machine) -> list[tuple[str, TrainSettings]]:
    """Settings that need less memory, by what is said of them; the last has all changes that teach the same."""
    s = settings
    smaller: dict[str, object] = {
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": s.gradient_accumulation_steps * s.per_device_train_batch_size,
    }
    changes: list[tuple[str, dict]] = []
    if not s.gradient_checkpointing:
        changes.append(("--gradient_checkpointing", {"gradient_checkpointing": True}))
    if s.per_device_train_batch_size > 1:
        flags = " ".join(f"--{name} {value}" for name, value in smaller.items())
        changes.append((flags, smaller))
    if machine.cuda and s.optim in ADAM and not s.use_lora:
        changes.append(("--optim paged_adamw_8bit", {"optim": "paged_adamw_8bit"}))
    if s.use_vllm and s.vllm_mode == "colocate" and s.vllm_gpu_memory_utilization > LITTLE:
        changes.append((f"--vllm_gpu_memory_utilization {LITTLE}", {"vllm_gpu_memory_utilization": LITTLE}))
    together = {name: value for _, change in changes for name, value in change.items()}
    shorter = s.max_completion_length // 2
    return [
        *((text, replace(s, **change)) for text, change in changes),
        *([("all of these", replace(s, **together))] if len(changes) > 1 else []),
        (f"and --max_completion_length {shorter}", replace(s, **together, max_completion_length=shorter)),
    ]


def _batches(settings: TrainSettings, config: RankGRPOConfig, dataset: Dataset, prompt_tokens: int) -> dict[str, str]:
    unconstrained = sum(not c for c in dataset["constraints"])
    per_step = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.world_size
    steps = optimiser_steps(config, len(dataset))
    return {
        "prompts": f"{len(dataset)}, {unconstrained} of them without constraints; the longest has {prompt_tokens} tokens",
        "answers a step": f"{per_step} = {config.per_device_train_batch_size} a device x "
        f"{config.gradient_accumulation_steps} accumulated x {config.world_size} "
        f"process{'es' if config.world_size > 1 else ''}",
        "groups a step": f"{per_step / (config.num_generations or 1):g} of {config.num_generations} answers each",
        "generated at once": f"{config.generation_batch_size} answers to {prompts_at_once(config)} prompts, used for "
        f"{config.num_iterations} pass{'es' if config.num_iterations > 1 else ''}",
        "optimiser steps": f"{steps}, with {steps * per_step // config.num_iterations:,} answers",
    }


def _print_settings(console: Console, settings: TrainSettings) -> None:
    values = {name: value for name, value in asdict(settings).items() if name != "dry_run"}
    defaults = {f.name: getattr(TrainSettings(), f.name) for f in fields(TrainSettings)}
    table = Table("Setting", Column("value", overflow="fold"), "default", box=None, pad_edge=False)
    for name, value in values.items():
        if value != defaults[name]:
            table.add_row(name, _text(value), _text(defaults[name]))
    console.print(table)
    same = [f"{name} {_text(value)}" for name, value in values.items() if value == defaults[name]]
    console.print(f"\nAs by default: {', '.join(same)}\n", markup=False)


def _rows(title: str, rows: dict[str, str]) -> Table:
    table = Table(title, "", box=None, pad_edge=False)
    for name, value in rows.items():
        table.add_row(name, value)
    table.add_row()
    return table


def _config(settings: TrainSettings) -> RankGRPOConfig:
    return trainer_config(settings, reward_weights(settings), "unused")


def _text(value: object) -> str:
    if value is None or value == []:
        return "–"
    return escape(" ".join(map(str, value)) if isinstance(value, list) else str(value))


def _size(size: int) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**27 else f"{size / 2**20:.1f} MiB"
