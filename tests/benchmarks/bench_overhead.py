"""What per-rank training costs beside TRL's own trainer: the same model, prompts and answers, step by step in turn.

    python -m tests.benchmarks.bench_overhead [--steps N] [--turn N] [--answers N] [--hidden_size N] [--layers N] [--json FILE]
    python -m tests.benchmarks.bench_overhead --model smollm2 --answers 8 --steps 4 --turn 2      # with LoRA, in bfloat16

TRL's `GRPOTrainer` has a constant reward. Ours has an oracle, four rewards, per-rank advantages and the rollout log. Both
generate so many answers a step, which are then replaced by the same lists of 20 films of the starter data. The default model
is the demo's. The trainers take turns of some steps; the medians of their steps are compared, the first turn left out. Then
each trains for a turn in a process of its own, whose peak of memory is told. With a GPU they compute there, and the memory is
the GPU's.
"""

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from datasets import Dataset
from rich.console import Console
from rich.table import Table
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from oracle import create_oracle
from oracle.annotate import Annotator
from oracle.log import LogWriter
from oracle.store import open_store
from pipeline.settings.flags import LORA_TARGETS
from pipeline.simulation.tiny import make_model, make_tokenizer
from pipeline.training.models import load_tokenizer, lora_config
from trainer import RankGRPOConfig, RankGRPOTrainer
from trainer.rewards import make_end_func, make_relevance_func, make_repeat_func, make_safety_func

GROUP = 8
PROMPT = "What should I watch next? Nothing gory please. I liked {}."


class Steps(TrainerCallback):
    """Seconds of each step: of the clock on the wall, and of the processor, which others on a busy machine don't shift."""

    def __init__(self):
        self.seconds: list[tuple[float, float]] = []

    def on_step_begin(self, *_, **__):
        self._since = time.perf_counter(), time.process_time()

    def on_step_end(self, *_, **__):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        wall, cpu = self._since
        self.seconds.append((time.perf_counter() - wall, time.process_time() - cpu))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=24, help="of each trainer")
    parser.add_argument("--turn", type=int, default=4, help="steps a trainer takes before the other does")
    parser.add_argument("--answers", type=int, default=64, help="a step")
    parser.add_argument("--model", help="folder of a model, which gets an adapter; left out: one like the demo's")
    parser.add_argument("--hidden_size", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--memory_of", choices=("TRL", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.memory_of:
            measured(Path(folder), args, [args.memory_of], turns=1)
            print(peak_mib())
            return
        seconds = measured(Path(folder), args, ["TRL", "ours"], args.steps // args.turn)
    medians = {
        name: [statistics.median(v) for v in zip(*values[args.turn :], strict=True)] for name, values in seconds.items()
    }
    memory = {name: memory_alone(name) for name in medians}
    table = Table("trainer", "ms a step (median)", "of TRL's", "processor ms", "of TRL's", "MiB alone", "of TRL's")
    for name, of_name in medians.items():
        figures = zip(of_name, medians["TRL"], strict=True)
        times = (text for x, y in figures for text in (f"{1000 * x:.1f}", f"{x / y:.3f}"))
        table.add_row(name, *times, f"{memory[name]:,}", f"{memory[name] / memory['TRL']:.3f}")
    Console(width=110).print(table)
    print(f"{args.steps - args.turn} steps each")
    if args.json:
        args.json.write_text(json.dumps({"seconds": seconds, "median": medians, "MiB": memory}, indent=1))


def peak_mib() -> int:
    """Of this process: what it held at most, on the GPU where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() >> 20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def memory_alone(name: str) -> int:
    """MiB that a process held at most which trained with this trainer only."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_overhead", *sys.argv[1:], "--memory_of", name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.split()[-1])


def measured(
    folder: Path, args: argparse.Namespace, names: list[str], turns: int
) -> dict[str, list[tuple[float, float]]]:
    """(wall, processor) seconds of each step of the trainers named, which take turns."""
    oracle = create_oracle(base_path=folder)
    with open_store(oracle.store) as store:
        films = store.sql("select title, year from titles order by imdb_id").fetchall()
    draw = random.Random(0)
    answers = [
        "\n".join(f"{k}. {t} ({y})" for k, (t, y) in enumerate(draw.sample(films, 20), 1)) for _ in range(args.answers)
    ]
    prompts = [PROMPT.format(title) for title, _ in films[: 4 * args.answers // GROUP]]
    model = args.model or str(folder / "model")
    if args.model:
        tokenizer = load_tokenizer(model)
    else:
        tokenizer = make_tokenizer([*prompts, *answers])
        make_model(tokenizer, 0, args.hidden_size, args.layers).save_pretrained(model)
        tokenizer.save_pretrained(model)
    rows = [
        {"prompt": p, "constraints": ["Anti-gore"], "groundtruth_with_release_year": [{"title": t, "year": y}], "seen_titles": []}
        for p, (t, y) in zip(prompts, films, strict=False)
    ]  # fmt: skip
    given = [[*ids, tokenizer.eos_token_id] for ids in tokenizer(answers, add_special_tokens=False)["input_ids"]]
    options = dict(
        num_generations=GROUP, per_device_train_batch_size=args.answers // 2, gradient_accumulation_steps=2, beta=1e-3,
        num_iterations=2, max_completion_length=max(map(len, given)), report_to="none", save_strategy="no", use_cpu=not torch.cuda.is_available(),
        bf16=bool(args.model), disable_tqdm=True, seed=1, logging_steps=10**6, use_bias_correction_kl=False,
        # To the limit each time: else a step takes as long as what is drawn, which differs.
        generation_kwargs={"suppress_tokens": [tokenizer.eos_token_id]},
    )  # fmt: skip
    annotator = Annotator(oracle)
    functions = [
        make_relevance_func(annotator),
        make_safety_func(annotator),
        make_end_func(annotator, 1.0),
        make_repeat_func(annotator, 1.0),
    ]
    shared = dict(train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    if args.model:
        shared["peft_config"] = lora_config(16, 32, 0.05, LORA_TARGETS)
        options["model_init_kwargs"] = {"dtype": "bfloat16"}

    def constant(completions, **_):
        return [1.0] * len(completions)

    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with LogWriter(
        folder / "log", {"kind": "train", "rec_num": 20, "lambda_end": 1.0, "num_generations": GROUP}
    ) as log:
        for turn in range(turns):
            theirs = GRPOConfig(str(folder / "theirs"), max_steps=args.turn, **options)
            mine = RankGRPOConfig(
                str(folder / "ours"), max_steps=args.turn, end_credit=True, advantage_mode="gdpo", **options
            )
            makers = {
                "TRL": lambda a=theirs: GRPOTrainer(model, constant, a, **shared),
                "ours": lambda a=mine, t=turn: RankGRPOTrainer(
                    model,
                    functions,
                    a,
                    rollout_log=_Renumbered(log, t * args.turn),
                    annotator=annotator,
                    **shared,
                ),
            }
            for name in sorted(names, reverse=bool(turn % 2)):
                trainer, steps = makers[name](), Steps()
                trainer.add_callback(steps)
                generate = trainer._generate_single_turn
                trainer._generate_single_turn = lambda *a, g=generate, **k: (g(*a, **k), (given, None))[1]
                trainer.train()
                seconds[name] += steps.seconds
    return seconds


class _Renumbered:
    """The log of a trainer that begins anew each turn: its steps go on."""

    def __init__(self, log: LogWriter, before: int):
        self._log, self._before, self.run = log, before, log.run

    def write_step(self, step: int, *tables) -> None:
        self._log.write_step(self._before + step, *tables)

    def write_loss(self, step: int, by_rank) -> None:
        self._log.write_loss(self._before + step, by_rank)


if __name__ == "__main__":
    main()
