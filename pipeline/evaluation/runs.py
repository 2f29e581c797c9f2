"""evaluate.py from its flags to its output: collect answers, judge and log them, say what follows."""

import argparse
from contextlib import nullcontext

import numpy as np
from datasets import Dataset

from oracle import UserError, create_oracle
from oracle.annotate import Annotator
from oracle.base.unpacked import bytes_of
from oracle.cluster import cluster
from oracle.sources import catalog_note, read_catalog
from pipeline.evaluation import output, providers
from pipeline.evaluation.journal import Journal, files_of, journal_path
from pipeline.evaluation.judging import Answers, log_answers
from pipeline.evaluation.judging_on_ray import judges_on_ray
from pipeline.evaluation.names import in_order_of_steps
from pipeline.evaluation.results import results_of
from pipeline.samples.dataset import load_dataset
from pipeline.samples.given_answers import GivenAnswers, own_prompts, read_all
from pipeline.settings.chosen_rewards import own_reward
from pipeline.training.processes import this_process
from trainer.own_rewards import check_names


def evaluate(args: argparse.Namespace) -> None:
    if this_process().num_processes > 1:
        raise UserError("evaluate.py takes one process; start it without torchrun or accelerate launch")
    oracle = create_oracle(
        store=args.store, risk_threshold=args.risk_threshold, unresolved=args.unresolved, unrated=args.unrated
    )
    own_rewards = [own_reward(text) for text in args.reward]
    check_names(own_rewards)
    largest = bytes_of(args.max_mb)
    catalog = read_catalog(args.catalog_path, largest) if args.catalog_path else None
    annotator = Annotator(oracle, catalog, args.thought_tag)
    args.model = in_order_of_steps(args.model)
    if args.data is None:
        dataset = own_prompts(args.answers, oracle.resolve_traits(args.constraints), largest)
    else:
        dataset = load_dataset(args.data, args.split, oracle, largest=largest)
    data = args.data or ", ".join(args.answers)
    given = read_all(args.answers, dataset, data, args.samples, largest)
    prompts = dataset.select(range(min(args.limit or len(dataset), len(dataset))))
    for name in args.model:  # before the first of them answers
        check_model(args, name, prompts)
    with cluster(args.address) if args.engine == "ray" else nullcontext():
        judges = judges_on_ray(annotator, catalog, args.rec_num) if args.engine == "ray" else None
        collected = [(ask(args, name, prompts), prompts) for name in args.model]
        collected += [(_given(own, args.limit), dataset) for own in given]
        runs = [
            log_answers(
                args.store,
                answers,
                asked,
                annotator,
                data=data,
                rec_num=args.rec_num,
                settings={**vars(args), **catalog_note(args.catalog_path)},
                judges=judges,
                own=own_rewards,
            )
            for answers, asked in collected
        ]
    idle = args.ids and not args.report
    output.say(args, runs, None if idle else results_of(args.store, runs, positions=args.positions, averaging=args.svr))


def check_model(args: argparse.Namespace, name: str, prompts: Dataset) -> None:
    """Raises `UserError` for a model that can't answer, without its weights and without a request."""
    if providers.is_provider(name):
        providers.check_provider(name, request_options(args))
    else:
        from pipeline.evaluation.local import check_policy

        check_policy(name, prompts["prompt"][:], args.max_completion_length)


def ask(args: argparse.Namespace, name: str, prompts: Dataset) -> Answers:
    """The answers of a model to each prompt, those that are kept already among them."""
    remote = providers.is_provider(name)
    settings = {
        "model": name,
        "temperature": args.temperature,
        "max_tokens": args.max_completion_length,
        "seed": args.seed,
    }
    if files := files_of(name):
        settings["files"] = files
    if not remote and args.engine != "transformers":
        settings["engine"] = args.engine
    path = journal_path(args.output, args.store, name, settings, prompts)
    with Journal(path, {**settings, "data": args.data, "split": args.split}) as journal:
        if remote:
            providers.answer(
                journal, name, prompts["prompt"][:], samples=args.samples, seed=args.seed, options=request_options(args)
            )
        elif args.engine != "transformers":
            from pipeline.evaluation import vllm_engine

            vllm_engine.answer(
                journal, name, prompts["prompt"][:], samples=args.samples, temperature=args.temperature,
                max_new_tokens=args.max_completion_length, seed=args.seed, engine=args.engine,
            )  # fmt: skip
        else:
            from pipeline.evaluation import local

            local.answer(
                journal, name, prompts["prompt"][:], samples=args.samples, temperature=args.temperature,
                max_new_tokens=args.max_completion_length, batch_size=args.batch_size, seed=args.seed,
            )  # fmt: skip
        entries = [
            entry for entry in journal.ordered() if entry["row"] < len(prompts) and entry["sample"] < args.samples
        ]
    return Answers(
        name, [e["row"] for e in entries], [e["text"] for e in entries], [e["ended"] for e in entries],
        tokens=None if remote else [np.array(e["tokens"], np.int64) for e in entries],
        tokenizer=None if remote else name,
        notes={"answers_at": str(path), **(providers.usage(entries) if remote else local_usage(entries))},
    )  # fmt: skip


def request_options(args: argparse.Namespace) -> dict:
    """inspect_ai's GenerateConfig."""
    options = {
        "temperature": args.temperature, "max_tokens": args.max_completion_length, "max_retries": args.max_retries,
        "max_connections": args.max_connections, "timeout": args.timeout, "cache": args.cache or None,
        "batch": args.batch or None,
    }  # fmt: skip
    return {name: value for name, value in options.items() if value is not None}


def local_usage(entries: list[dict]) -> dict:
    return {"output_tokens": sum(len(entry["tokens"]) for entry in entries)}


def _given(given: GivenAnswers, limit: int | None) -> Answers:
    prompts = sorted(set(given.rows))[:limit]
    kept = [i for i, row in enumerate(given.rows) if row in set(prompts)]
    return Answers(
        given.name, [given.rows[i] for i in kept], [given.texts[i] for i in kept], [given.ended[i] for i in kept],
        notes={"answers_at": given.path},
    )  # fmt: skip
