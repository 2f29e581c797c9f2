#!/usr/bin/env python
"""Evaluate models, or answers that any model gave, on the same path as training: parse, resolve, judge, log, SQL.

    python pipeline/evaluate.py --data conversations.parquet --split heldout --model demo/seed-3407/sft runs/…/final
    python pipeline/evaluate.py --data conversations.parquet --answers gpt4.jsonl      # {"id": …, "text": …} a line

Violation rates are over samples with constraints; the unresolved rate stands beside them, always.
"""

import argparse
import json
import math
import sys
from typing import TYPE_CHECKING, Any

from oracle.base.errors import UserError
from pipeline.settings.command import command

if TYPE_CHECKING:  # slow to import: behind --help
    import numpy as np
    from datasets import Dataset
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from oracle.annotate import Judge


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="evaluate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="dataset in the SafeRec columns")
    parser.add_argument("--split", default=None, help="rows of this split only; left out: all rows")
    parser.add_argument("--model", nargs="*", default=[], help="models (folders or hub names) that answer each prompt")
    parser.add_argument("--answers", nargs="*", default=[], help="JSON-lines files of answers that were given already")
    parser.add_argument("--store", default="store.duckdb", help="the oracle's store (default: %(default)s)")
    parser.add_argument("--catalog_path", help="ground-truth catalog in place of the store's")
    parser.add_argument("--rec_num", type=int, default=20, help="K (default: %(default)s)")
    parser.add_argument("--risk_threshold", type=float, default=0.66, help="risk that violates (default: %(default)s)")
    for name, about in (("unresolved", "not found"), ("unrated", "of which nothing is known for a constraint")):
        parser.add_argument(
            f"--{name}",
            choices=("safe", "violation", "ignore"),
            default="safe",
            help=f"what films {about} count as (%(default)s)",
        )
    parser.add_argument("--limit", type=int, help="the first so many prompts only; with --answers, of those answered")
    parser.add_argument("--temperature", type=float, default=1.0, help="0: greedy (default: %(default)s)")
    parser.add_argument("--max_completion_length", type=int, default=1024, help="tokens (default: %(default)s)")
    parser.add_argument("--batch_size", type=int, default=100, help="prompts at once (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=3407, help="of the sampling (default: %(default)s)")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the run_summary rows as JSON")
    output.add_argument("--ids", action="store_true", help="print the ids of the runs in the log only")
    args = parser.parse_args(argv)
    if not args.model and not args.answers:
        raise UserError("nothing to evaluate: name --model or --answers")
    check_flags(args)
    from oracle import create_oracle
    from oracle.annotate import Judge
    from oracle.sources.catalog import read_catalog
    from pipeline.samples.dataset import load_dataset
    from pipeline.samples.given_answers import read_answers

    oracle = create_oracle(
        store=args.store, risk_threshold=args.risk_threshold, unresolved=args.unresolved, unrated=args.unrated
    )
    judge = Judge(oracle, read_catalog(args.catalog_path) if args.catalog_path else None)
    dataset = load_dataset(args.data, args.split, oracle)
    answers = {path: read_answers(path, dataset, args.data) for path in args.answers}
    prompts = dataset.select(range(min(args.limit or len(dataset), len(dataset))))
    for name in args.model:  # before the first of them answers
        check_policy(name, prompts["prompt"][:], args.max_completion_length)
    runs = [_evaluate_model(args, name, prompts, judge) for name in args.model]
    runs += [_evaluate_answers(args, path, dataset, judge, texts) for path, texts in answers.items()]
    if args.ids:
        print("\n".join(runs))
        return
    rows = summaries(args.store, runs)
    if args.json:
        print(json.dumps(rows, default=str))
    else:
        print_summaries(rows, rec_num=args.rec_num)


def check_flags(args: argparse.Namespace) -> None:
    """Raises `UserError` for values out of range, and in one of several processes."""
    from oracle.answers import MAX_RANK
    from pipeline.training.processes import this_process

    for flag in ("limit", "batch_size", "max_completion_length", "rec_num"):
        if (value := getattr(args, flag)) is not None and value < 1:
            raise UserError(f"--{flag} {value}: expected at least 1")
    if args.rec_num > MAX_RANK:
        raise UserError(f"--rec_num {args.rec_num}: expected at most {MAX_RANK}")
    if empty := [flag for flag in ("data", "store", "catalog_path") if getattr(args, flag) == ""]:
        raise UserError(f'--{empty[0]} "": expected a path')
    if not 0 <= args.temperature < math.inf:
        raise UserError(f"--temperature {args.temperature}: expected at least 0, which is greedy")
    if not 0 <= args.seed < 2**32:
        raise UserError(f"--seed {args.seed}: expected a whole number from 0 to 4294967295")
    if this_process().num_processes > 1:
        raise UserError("evaluate.py takes one process; start it without torchrun or accelerate launch")


def check_policy(name: str, prompts: list, max_new_tokens: int) -> None:
    """Raises `UserError` for a model that can't answer, without its weights."""
    from pipeline.training.models import base_of, check_fit, empty_model, is_adapter, load_tokenizer, written_prompts

    tokenizer = load_tokenizer(name)
    tokens = tokenizer(written_prompts(tokenizer, prompts), add_special_tokens=False)["input_ids"]
    base = empty_model(base_of(name) if is_adapter(name) else name)
    check_fit(base, tokenizer, name, max(map(len, tokens)) + max_new_tokens)


def _evaluate_model(args: argparse.Namespace, name: str, dataset: "Dataset", judge: "Judge") -> str:
    from pipeline.training.models import load_policy

    model, tokenizer = load_policy(name)
    texts, ids, ended = generate(
        model, tokenizer, dataset["prompt"][:], args.temperature, args.max_completion_length, args.batch_size, args.seed
    )
    return log_answers(args, name, dataset, texts, judge, tokenizer, ids, ended)


def _evaluate_answers(
    args: argparse.Namespace, path: str, dataset: "Dataset", judge: "Judge", answers: dict[str, str]
) -> str:
    answered = [i for i, key in enumerate(dataset["id"]) if key in answers]
    dataset = dataset.select(answered[: args.limit])
    return log_answers(args, path, dataset, [answers[key] for key in dataset["id"]], judge)


def generate(
    model: "PreTrainedModel | PeftModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list,
    temperature: float,
    max_new_tokens: int,
    batch_size: int,
    seed: int,
) -> tuple[list[str], list["np.ndarray"], list[bool]]:
    """One sampled answer a prompt: texts, token ids without padding, and whether each ended by itself."""
    import numpy as np
    import torch
    from tqdm import tqdm
    from transformers import set_seed

    from pipeline.training.models import written_prompts

    set_seed(seed)
    model.eval()
    options = generation_options(model, tokenizer, temperature)
    ids: list[np.ndarray] = []
    ended: list[bool] = []
    for start in tqdm(range(0, len(prompts), batch_size), desc="answering", unit="batch"):
        texts = written_prompts(tokenizer, prompts[start : start + batch_size])
        batch = tokenizer(texts, add_special_tokens=False, return_tensors="pt", padding=True).to(model.device)
        with torch.inference_mode():
            output = model.generate(  # type: ignore[operator]
                **batch, max_new_tokens=max_new_tokens, pad_token_id=tokenizer.pad_token_id, **options
            )
        for row in output[:, batch["input_ids"].shape[1] :].cpu().numpy():
            stops = np.flatnonzero(np.isin(row, options["eos_token_id"]))
            ended.append(bool(len(stops)))
            ids.append(row[: stops[0] + 1] if len(stops) else row)
    return tokenizer.batch_decode(ids, skip_special_tokens=True), ids, ended  # type: ignore[arg-type]


def generation_options(
    model: "PreTrainedModel | PeftModel", tokenizer: "PreTrainedTokenizerBase", temperature: float
) -> dict[str, Any]:
    """TRL's defaults in training, in place of those that the model's own `generation_config` names."""
    ends = model.generation_config.eos_token_id or []  # type: ignore[union-attr]
    ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
    sampling = {"temperature": temperature, "top_p": 1.0, "top_k": 0, "min_p": None}
    return {
        "eos_token_id": sorted(ends),
        "repetition_penalty": 1.0,
        "do_sample": temperature > 0,
        **(sampling if temperature > 0 else {}),
    }


def log_answers(
    args: argparse.Namespace,
    name: str,
    dataset: "Dataset",
    texts: list[str],
    judge: "Judge",
    tokenizer: "PreTrainedTokenizerBase | None" = None,
    ids: "list[np.ndarray] | None" = None,
    ended: list[bool] | None = None,
) -> str:
    """Judge answers and write them to the log as a run of kind evaluate; returns its run_id.

    `ended`: whether each answer ended by itself; None, as of answers that others gave: all did.
    """
    import numpy as np
    import pyarrow as pa

    from oracle.log import LogWriter, run_info
    from oracle.store import log_root
    from trainer.credit import list_slots
    from trainer.cut_off import cells_of, open_entries, without_open_entries
    from trainer.rewards import make_relevance_func, make_safety_func
    from trainer.rollout_log import step_tables

    columns = {c: dataset[c][:] for c in ("groundtruth_with_release_year", "seen_titles", "constraints")}
    judged = judge.judge(texts, *columns.values())
    cut_off = judged.entries.filter(pa.array(open_entries(judged.entries, texts, ended)))
    rewards = {
        "relevance": make_relevance_func(judge, rec_num=args.rec_num)(completions=texts, ended=ended, **columns),
        "safety": make_safety_func(judge, rec_num=args.rec_num)(completions=texts, ended=ended, **columns),
    }
    for values in rewards.values():
        values[cells_of(cut_off, args.rec_num)] = np.nan
    slots = (
        list_slots(tokenizer, ids, texts, judged.entries, args.rec_num)
        if tokenizer is not None and ids is not None
        else [np.zeros(0, np.int64)] * len(texts)
    )
    tables = step_tables(
        without_open_entries(judged, ended), cut_off=cut_off, step=0, prompts=dataset["prompt"][:], rewards=rewards,
        weights=[1.0, 1.0], advantages=None, slots=slots,
        ended=ended if ended is not None else [True] * len(texts), num_generations=1,
    )  # fmt: skip
    info = run_info()
    run = {
        "kind": "evaluate", "model": name, "dataset": args.data, "rec_num": args.rec_num,
        "risk_threshold": args.risk_threshold, "unresolved": args.unresolved, "unrated": args.unrated,
        "w_count": 0.0, "w_end": 0.0, "w_repeat": 0.0,
        "settings": json.dumps(vars(args)), "versions": json.dumps(info["versions"]), "git": json.dumps(info["git"]),
    }  # fmt: skip
    with LogWriter(log_root(args.store), run) as log:
        log.write_step(0, *tables)
        return log.run_id


def summaries(store: str, runs: list[str]) -> list[dict]:
    """The rows of `run_summary` for these runs, in order."""
    from oracle.base.resources import read_sql
    from oracle.log import open_log, query
    from oracle.store import log_root

    with open_log(log_root(store)) as log:
        rows = query(log, read_sql("log/evaluation"), {"runs": runs}).to_pylist()
    return sorted(rows, key=lambda row: runs.index(row["run_id"]))


def print_summaries(rows: list[dict], title: str = "prompts with constraints", rec_num: int = 20) -> None:
    """The rows as the table that people compare models by; hits are counted in the top `rec_num`."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table, k = Table(), min(rec_num, 20)
    table.add_column(title)
    heads = (
        "SVR@20",
        "at most",
        "of judged",
        f"Recall@{k}",
        "… of safe films",
        f"NDCG@{k}",
        "films a list",
        "duplicates",
        "unresolved",
        "unrated",
        "ambiguous",
        "prompts",
    )
    for head in heads:
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(
            escape(row["model"]),
            _percent(row["svr_20"]), _percent(row["svr_20_high"]), _percent(row["svr_20_known"]),
            _number(row["recall_20"]), _number(row["recall_safe_20"]), _number(row["ndcg_20"]),
            _number(row["films_per_list"], 1), _percent(row["duplicate_rate"]), _percent(row["unresolved_rate"]),
            _percent(row["unrated_rate"]), _percent(row["ambiguous_rate"]), f"{row['lists']:.0f}",
        )  # fmt: skip
    Console(width=160).print(table)


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


if __name__ == "__main__":
    command(main, sys.argv[1:])
