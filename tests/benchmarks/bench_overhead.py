"""What per-rank training costs beside TRL's own trainer: the same model, prompts and answers, step by step in turn.

    python -m tests.benchmarks.bench_overhead [--steps N] [--hidden_size N] [--layers N] [--json FILE]

TRL's `GRPOTrainer` has a constant reward. Ours has an oracle, four rewards, per-rank advantages and the rollout log. Both
generate 64 answers a step, which are then replaced by the same lists of 20 films of the starter data. The default model is
the demo's. The trainers take turns of 4 steps; the medians of their steps are compared, the first turn left out.
"""

import argparse
import json
import random
import resource
import statistics
import tempfile
import time
from pathlib import Path

from datasets import Dataset
from rich.console import Console
from rich.table import Table
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from oracle import create_oracle
from oracle.annotate import Annotator
from oracle.log import LogWriter
from oracle.store import open_store
from pipeline.simulation.tiny import make_model, make_tokenizer
from trainer import RankGRPOConfig, RankGRPOTrainer
from trainer.rewards import make_end_func, make_relevance_func, make_repeat_func, make_safety_func

ANSWERS, GROUP, TURN = 64, 8, 4
PROMPT = "What should I watch next? Nothing gory please. I liked {}."


class Steps(TrainerCallback):
    """Seconds of each step: of the clock on the wall, and of the processor, which others on a busy machine don't shift."""

    def __init__(self):
        self.seconds: list[tuple[float, float]] = []

    def on_step_begin(self, *_, **__):
        self._since = time.perf_counter(), time.process_time()

    def on_step_end(self, *_, **__):
        wall, cpu = self._since
        self.seconds.append((time.perf_counter() - wall, time.process_time() - cpu))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=24, help="of each trainer")
    parser.add_argument("--hidden_size", type=int, default=128)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = measured(Path(folder), args)
    medians = {
        name: [statistics.median(v) for v in zip(*values[TURN:], strict=True)] for name, values in seconds.items()
    }
    table = Table("trainer", "ms a step (median)", "of TRL's", "processor ms", "of TRL's")
    for name, of_name in medians.items():
        figures = zip(of_name, medians["TRL"], strict=True)
        table.add_row(name, *(text for x, y in figures for text in (f"{1000 * x:.1f}", f"{x / y:.3f}")))
    Console(width=100).print(table)
    print(
        f"{args.steps - TURN} steps each; memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB"
    )
    if args.json:
        args.json.write_text(json.dumps({"seconds": seconds, "median": medians}, indent=1))


def measured(folder: Path, args: argparse.Namespace) -> dict[str, list[tuple[float, float]]]:
    oracle = create_oracle(base_path=folder)
    with open_store(oracle.store) as store:
        films = store.sql("select title, year from titles order by imdb_id").fetchall()
    draw = random.Random(0)
    answers = [
        "\n".join(f"{k}. {t} ({y})" for k, (t, y) in enumerate(draw.sample(films, 20), 1)) for _ in range(ANSWERS)
    ]
    prompts = [PROMPT.format(title) for title, _ in films[: 4 * ANSWERS // GROUP]]
    tokenizer = make_tokenizer([*prompts, *answers])
    make_model(tokenizer, 0, args.hidden_size, args.layers).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    rows = [
        {"prompt": p, "constraints": ["Anti-gore"], "groundtruth_with_release_year": [{"title": t, "year": y}], "seen_titles": []}
        for p, (t, y) in zip(prompts, films, strict=False)
    ]  # fmt: skip
    given = [[*ids, tokenizer.eos_token_id] for ids in tokenizer(answers, add_special_tokens=False)["input_ids"]]
    options = dict(
        num_generations=GROUP, per_device_train_batch_size=ANSWERS // 2, gradient_accumulation_steps=2, beta=1e-3,
        num_iterations=2, max_completion_length=max(map(len, given)), report_to="none", save_strategy="no", use_cpu=True,
        bf16=False, disable_tqdm=True, seed=1, logging_steps=10**6, use_bias_correction_kl=False,
    )  # fmt: skip
    annotator = Annotator(oracle)
    functions = [
        make_relevance_func(annotator),
        make_safety_func(annotator),
        make_end_func(annotator, 1.0),
        make_repeat_func(annotator, 1.0),
    ]
    shared = dict(train_dataset=Dataset.from_list(rows), processing_class=tokenizer)

    def constant(completions, **_):
        return [1.0] * len(completions)

    seconds: dict[str, list[tuple[float, float]]] = {"TRL": [], "ours": []}
    with LogWriter(
        folder / "log", {"kind": "train", "rec_num": 20, "lambda_end": 1.0, "num_generations": GROUP}
    ) as log:
        for turn in range(args.steps // TURN):
            theirs = GRPOConfig(str(folder / "theirs"), max_steps=TURN, **options)
            mine = RankGRPOConfig(
                str(folder / "ours"), max_steps=TURN, end_credit=True, advantage_mode="gdpo", **options
            )
            makers = {
                "TRL": lambda a=theirs: GRPOTrainer(str(folder / "model"), constant, a, **shared),
                "ours": lambda a=mine, t=turn: RankGRPOTrainer(
                    str(folder / "model"),
                    functions,
                    a,
                    rollout_log=_Renumbered(log, t * TURN),
                    annotator=annotator,
                    **shared,
                ),
            }
            for name in sorted(makers, reverse=bool(turn % 2)):
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
