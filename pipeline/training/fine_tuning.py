"""Supervised fine-tuning on whole answers."""

from pathlib import Path

import torch
from datasets import Dataset
from peft import get_peft_model
from transformers import DataCollatorForSeq2Seq, PreTrainedTokenizerBase, Trainer, TrainingArguments, set_seed

from oracle import UserError, create_oracle
from oracle.base.command import when_stopped
from oracle.base.unpacked import bytes_of
from pipeline.samples.dataset import load_dataset
from pipeline.settings.checks import check_sft, sft_folder
from pipeline.settings.flag_metadata import trl_names
from pipeline.settings.flags import SftSettings
from pipeline.settings.parsing import Parsed
from pipeline.simulation.demo_data import make_demo_data
from pipeline.training.models import (
    check_fit,
    empty_adapter,
    empty_model,
    has_tokenizer,
    load_model,
    load_tokenizer,
    lora_config,
    weights_dtype,
    written_prompts,
)
from pipeline.training.processes import on_cpu, tell_if_alone, this_process
from pipeline.training.runs import whole_checkpoints

MEMORY = "--per_device_train_batch_size or --max_length, or add --gradient_checkpointing or --use_lora"


def fine_tune(parsed: Parsed[SftSettings]) -> None:
    """Check everything, then fine-tune; raises `UserError` for what can't be done."""
    settings = parsed.settings
    tell_if_alone()
    check_sft(settings, parsed.given)
    if parsed.is_demo:
        paths = make_demo_data(settings.seed)
        settings.train_path, settings.store = paths["train_path"], paths["store"]
        settings.model_name, settings.output_dir = paths["model_name"], settings.output_dir or paths["sft"]
    run_sft(settings, go_on=parsed.is_demo)


def run_sft(settings: SftSettings, go_on: bool = False) -> Path:
    """Fine-tune as the settings say; returns the folder of the final model (or adapter).

    `go_on`: from the last whole checkpoint, where the folder holds a run that was stopped; else it must be empty.
    """
    assert settings.train_path is not None
    output = Path(settings.output_dir or sft_folder(settings.model_name))
    in_use = any(output.glob("*config.json")) or any(output.glob("checkpoint-*"))
    if has_tokenizer(str(output)) or (in_use and not go_on):
        raise UserError(f"{output} has a model already: name another folder with --output_dir")
    earlier = whole_checkpoints(output)
    oracle = create_oracle(store=settings.store)
    largest = bytes_of(settings.max_mb)
    dataset = load_dataset(settings.train_path, settings.split, oracle, ("prompt", "completion"), largest)
    arguments = sft_arguments(settings, output)
    lora = lora_config(settings.lora_r, settings.lora_alpha, settings.lora_dropout, settings.lora_target_modules)
    if settings.use_lora:
        empty_adapter(empty_model(settings.model_name), lora)
    set_seed(settings.seed)
    tokenizer = load_tokenizer(settings.model_name)
    written_prompts(tokenizer, dataset["prompt"][:])
    check_fit(empty_model(settings.model_name), tokenizer, settings.model_name, 0)
    model: torch.nn.Module = load_model(settings.model_name, weights_dtype(settings.bf16, settings.use_lora))
    if settings.use_lora:
        model = get_peft_model(model, lora)
        if settings.gradient_checkpointing:
            model.enable_input_require_grads()
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=tokenised(dataset, tokenizer, settings.max_length),
        data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True),
        processing_class=tokenizer,
    )
    when_stopped(lambda: _left(output), MEMORY)
    trainer.train(resume_from_checkpoint=str(earlier[-1]) if earlier else None)
    trainer.save_model()
    if this_process().is_main_process:
        tokenizer.save_pretrained(output)
        when_stopped(f"the model is saved in {output}")
        print(f"SFT model: {output}")
    return output


def _left(output: Path) -> str:
    """What is left of a run that stops before its model is saved: SFT is short, and begins again."""
    again = f"remove {output}, or name another --output_dir, and begin" if output.exists() else "begin"
    return f"no whole model is saved; {again} again with the same command"


def sft_arguments(s: SftSettings, output: Path) -> TrainingArguments:
    """The settings in transformers' names; raises `UserError` for what it refuses."""
    own = {theirs: getattr(s, ours) for ours, theirs in trl_names(SftSettings).items()}
    try:
        return TrainingArguments(output_dir=str(output), report_to=s.report_to, use_cpu=on_cpu(), **own)
    except (ValueError, TypeError, ImportError) as error:
        raise UserError(f"transformers refuses these settings: {' '.join(str(error).split())}") from None


def tokenised(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """input_ids and labels; only the completion and the end of text are learnt."""

    def encode(batch: dict) -> dict:
        prompts = written_prompts(tokenizer, batch["prompt"])
        prompt_ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
        ends = [c + tokenizer.eos_token for c in batch["completion"]]
        answer_ids = tokenizer(ends, add_special_tokens=False)["input_ids"]
        pairs = list(zip(prompt_ids, answer_ids, strict=True))
        return {
            "input_ids": [(p + a)[-max_length:] for p, a in pairs],
            "labels": [([-100] * len(p) + a)[-max_length:] for p, a in pairs],
        }

    return dataset.map(encode, batched=True, remove_columns=dataset.column_names, desc="tokenising")
