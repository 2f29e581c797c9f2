#!/usr/bin/env python
"""Safe-Rank-GRPO: train a recommender with one reward and one advantage per rank; every verdict goes to the log.

    python pipeline/train.py                                      # the bundled demo, from nothing
    python pipeline/train.py --train_path redial.parquet --model_name SmolLM2-135M --max_steps 100 --use_lora
    accelerate launch --num_processes 2 pipeline/train.py --config pipeline/configs/two_gpus.yaml --train_path …

A run's checkpoints are in runs/<run id>/, its verdicts in the log beside the store: <store>.log/<run id>/.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import PartialState
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from oracle import UserError, create_oracle
from oracle.judge import Judge
from oracle.log import LogWriter, run_info
from oracle.sources.catalog import read_catalog
from oracle.store import log_root
from pipeline.checks import check_training, last_checkpoint
from pipeline.command import command
from pipeline.dataset import load_dataset
from pipeline.demo_data import make_demo_data
from pipeline.models import load_adapter, load_model, load_tokenizer, lora_config
from pipeline.settings import SftSettings, TrainSettings, as_yaml, parse_settings
from pipeline.sft import run_sft
from trainer import RankGRPOConfig, RankGRPOTrainer
from trainer.rewards import (
    RankRewardFunc,
    make_count_func,
    make_end_func,
    make_relevance_func,
    make_repeat_func,
    make_safety_func,
)


def main(argv: list[str]) -> None:
    settings, is_demo = parse_settings(TrainSettings, "train.py", argv, demo="train")
    check_training(settings)
    if is_demo:
        settings = demo_settings(settings)
    run_training(settings)


def demo_settings(settings: TrainSettings) -> TrainSettings:
    """The demo's paths filled in; makes its data and SFT model if they aren't there."""
    with PartialState().main_process_first():
        paths = make_demo_data(settings.seed)
        if not (Path(paths["sft"]) / "config.json").exists():
            print("The demo's SFT model is not there yet: making it first.")
            sft, _ = parse_settings(SftSettings, "sft.py", ["--seed", str(settings.seed)], demo="sft")
            sft.train_path, sft.store = paths["train_path"], paths["store"]
            sft.model_name, sft.output_dir = paths["model_name"], paths["sft"]
            run_sft(sft)
    settings.train_path, settings.store = paths["train_path"], paths["store"]
    settings.model_name = settings.sft_model_path = paths["sft"]
    return settings


def run_training(settings: TrainSettings) -> Path:
    """Train as the settings say; returns the folder of the run."""
    assert settings.train_path is not None
    oracle = create_oracle(store=settings.store, risk_threshold=settings.risk_threshold, unresolved=settings.unresolved)
    catalog = read_catalog(settings.catalog_path) if settings.catalog_path else None
    judge = Judge(oracle, catalog)
    dataset = load_dataset(settings.train_path, settings.split, oracle)
    start = starting_point(settings)
    tokenizer = load_tokenizer(settings.model_name)
    dataset = shorter_prompts(dataset, tokenizer, settings.max_prompt_length)
    unconstrained = sum(not c for c in dataset["constraints"])
    functions = reward_functions(settings, judge)
    weights = settings.reward_weights or [1.0] * len(functions)
    if len(weights) != len(functions):
        names = ", ".join(f.__name__ for f in functions)
        raise UserError(f"--reward_weights has {len(weights)} values for {len(functions)} rewards ({names})")

    is_main = PartialState().is_main_process
    log = open_run(settings, weights, functions) if is_main else None
    folder = Path(settings.resume or settings.output_dir or f"runs/{log.run_id if log else ''}")
    if is_main and log:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run_id").write_text(log.run_id)
        (folder / "settings.yaml").write_text(as_yaml(settings))
        print(
            f"run {log.run_id}: {len(dataset)} prompts ({unconstrained} without constraints), "
            f"checkpoints in {folder}, verdicts in {log.folder}"
        )
    model = policy(settings, start)
    if settings.kl_beta and start.endswith(".gguf"):
        keep_as_reference(model, tokenizer, folder / "base")
    trainer = RankGRPOTrainer(
        model=model,
        reward_funcs=functions,
        args=trainer_config(settings, weights, folder),
        judge=judge,
        rollout_log=log,
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=_new_adapter(settings),
    )
    trainer.train(resume_from_checkpoint=str(last_checkpoint(settings.resume)) if settings.resume else None)
    trainer.save_model(str(folder / "final"))
    if is_main:
        tokenizer.save_pretrained(folder / "final")
        print(f"trained: {folder / 'final'}")
    return folder


def reward_functions(settings: TrainSettings, judge: Judge) -> list[RankRewardFunc]:
    """Relevance and safety, and the others whose weight isn't 0."""
    s, k = settings, settings.rec_num
    functions = [
        make_relevance_func(judge, s.reward_func, k),  # type: ignore[arg-type]
        make_safety_func(judge, s.lambda_safe, s.penalty_safe, s.safety_discount, k),  # type: ignore[arg-type]
    ]
    if s.lambda_count:
        functions.append(make_count_func(judge, s.lambda_count, s.target_count, k))
    if s.lambda_end:
        functions.append(make_end_func(judge, s.lambda_end, k))
    if s.lambda_repeat:
        functions.append(make_repeat_func(judge, s.lambda_repeat, k))
    return functions


def trainer_config(settings: TrainSettings, weights: list[float], folder: Path) -> RankGRPOConfig:
    """The settings in TRL's names."""
    s = settings
    return RankGRPOConfig(
        output_dir=str(folder),
        rec_num=s.rec_num,
        advantage_mode=s.advantage_mode,
        end_credit=s.lambda_end > 0,
        reward_weights=weights,
        learning_rate=s.lr,
        lr_scheduler_type=s.lr_scheduler_type,
        warmup_steps=s.warmup_steps,
        adam_beta1=s.adam_beta1,
        adam_beta2=s.adam_beta2,
        optim=s.optim,
        max_grad_norm=s.max_grad_norm,
        beta=s.kl_beta,
        num_iterations=s.mu,
        num_generations=s.num_generations,
        temperature=s.temperature,
        max_completion_length=s.max_completion_length,
        per_device_train_batch_size=s.per_device_train_batch_size,
        per_device_eval_batch_size=s.per_device_eval_batch_size,
        gradient_accumulation_steps=s.gradient_accumulation_steps,
        num_train_epochs=s.num_train_epochs,
        max_steps=s.max_steps,
        logging_steps=s.logging_steps,
        save_strategy=s.save_strategy,
        save_steps=s.save_steps,
        save_only_model=False,
        seed=s.seed,
        bf16=s.bf16,
        gradient_checkpointing=s.gradient_checkpointing,
        use_vllm=s.use_vllm,
        vllm_mode=s.vllm_mode,
        vllm_gpu_memory_utilization=s.vllm_gpu_memory_utilization,
        vllm_tensor_parallel_size=s.vllm_tensor_parallel_size,
        report_to="wandb" if s.wandb_project else s.report_to,
        project=s.wandb_project or "safe-rank-grpo",
    )


def starting_point(settings: TrainSettings) -> str:
    """The SFT model (or adapter) that training starts from; the base model if there was no SFT."""
    if settings.sft_model_path:
        return settings.sft_model_path
    checkpoint = Path("results") / settings.model_name / f"checkpoint-{settings.sft_checkpoint}"
    if checkpoint.is_dir():
        return str(checkpoint)
    if settings.sft_is_lora:
        raise UserError(f"--sft_is_lora: no checkpoint {checkpoint}; name it with --sft_model_path")
    print(f"no SFT checkpoint {checkpoint}: starting from {settings.model_name}", file=sys.stderr)
    return settings.model_name


def policy(settings: TrainSettings, start: str):
    """The model to train: full weights, or the base model with the SFT adapter to go on with."""
    dtype = torch.bfloat16 if settings.bf16 else torch.float32
    if not settings.sft_is_lora:
        return load_model(start, dtype)
    model = load_adapter(load_model(settings.model_name, dtype), start)
    return model if settings.use_lora else model.merge_and_unload()


def keep_as_reference(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save a model that has no folder of its own: TRL loads the reference of the KL divergence from there."""
    if PartialState().is_main_process:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    PartialState().wait_for_everyone()
    model.config._name_or_path = str(folder)


def _new_adapter(settings: TrainSettings):
    if not settings.use_lora or settings.sft_is_lora:
        return None
    return lora_config(settings.lora_r, settings.lora_alpha, settings.lora_dropout, settings.lora_target_modules)


def shorter_prompts(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Without the prompts of more than `max_length` tokens: a cut prompt would ask for something else."""
    texts = tokenizer.apply_chat_template(dataset["prompt"][:], add_generation_prompt=True, tokenize=False)
    lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    kept = [i for i, n in enumerate(lengths) if n <= max_length]
    if not kept:
        raise UserError(
            f"--max_prompt_length {max_length}: every prompt is longer (the shortest: {min(lengths)} tokens)"
        )
    if len(kept) < len(dataset):
        print(f"left out {len(dataset) - len(kept)} prompts of more than {max_length} tokens", file=sys.stderr)
    return dataset.select(kept)


def open_run(settings: TrainSettings, weights: list[float], functions: list[RankRewardFunc]) -> LogWriter:
    """A new run in the log, or the one to go on with, without the steps after its last checkpoint."""
    root = log_root(settings.store)
    if settings.resume:
        log = LogWriter.resume(root, (Path(settings.resume) / "run_id").read_text().strip())
        log.truncate_after(int(last_checkpoint(settings.resume).name.split("-")[1]))
        return log
    weight = dict(zip((f.__name__ for f in functions), weights, strict=True))
    info = run_info()
    s = settings
    return LogWriter(
        root,
        {
            "kind": "train", "model": s.sft_model_path or s.model_name, "dataset": s.train_path, "rec_num": s.rec_num,
            "num_generations": s.num_generations, "reward_func": s.reward_func, "lambda_safe": s.lambda_safe,
            "penalty_safe": s.penalty_safe, "risk_threshold": s.risk_threshold, "safety_discount": s.safety_discount,
            "unresolved": s.unresolved, "lambda_count": s.lambda_count, "target_count": s.target_count,
            "lambda_end": s.lambda_end, "lambda_repeat": s.lambda_repeat, "advantage_mode": s.advantage_mode,
            "w_rel": weight["relevance"], "w_safe": weight["safety"], "w_count": weight.get("count", 0.0),
            "w_end": weight.get("end", 0.0), "w_repeat": weight.get("repeat", 0.0),
            "settings": json.dumps(asdict(s)), "versions": json.dumps(info["versions"]), "git": json.dumps(info["git"]),
        },
    )  # fmt: skip


if __name__ == "__main__":
    command(main, sys.argv[1:])
