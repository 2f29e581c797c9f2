"""What a training run will do, told before it loads a weight: its settings, batches, steps and memory."""

import math
from dataclasses import asdict, fields

from datasets import Dataset
from peft import PeftModel
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from transformers import PreTrainedModel

from oracle import UserError
from pipeline.settings.chosen_rewards import reward_weights
from pipeline.settings.fields import TrainSettings
from pipeline.settings.trl_config import trainer_config
from pipeline.training.memory import available_memory, expected_memory, peak
from pipeline.training.processes import this_process
from trainer import RankGRPOConfig


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
    memory = expected_memory(settings, config, model, prompt_tokens)
    console = Console(width=120, highlight=False)
    _print_settings(console, settings)
    console.print(_rows("Batches", _batches(settings, config, dataset, prompt_tokens)))
    parameters = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    console.print(
        _rows(
            "Memory a process",
            {"parameters": f"{parameters:,}, {trained:,} of them trained ({trained / parameters:.2%})"}
            | {name: _size(size) for name, size in memory.items()}
            | {"expected at most": f"{_size(peak(memory))} of {_size(available_memory())} here"},
        )
    )
    if peak(memory) > available_memory():
        console.print("This will not fit: lower --per_device_train_batch_size, or add --gradient_checkpointing.")
    console.print("No weights were loaded and nothing was trained; without --dry_run, training starts.")


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
