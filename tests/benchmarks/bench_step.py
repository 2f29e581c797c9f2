"""Where the time of a training step goes: runs a command of train.py with a clock in it.

    python -m tests.benchmarks.bench_step [--json FILE] [flags of pipeline/train.py]

Without flags: the bundled demo's training, for 12 steps. The first generated batch is left out (caches, files read
for the first time). Each part's time is its own, without that of the parts within it.
"""

import argparse
import functools
import json
import time
from collections import defaultdict
from pathlib import Path

import torch
from accelerate import Accelerator
from rich.console import Console
from rich.table import Table
from transformers import TrainerCallback
from trl import GRPOTrainer

from oracle import annotate
from oracle.log import LogWriter
from pipeline import train
from trainer import RankGRPOTrainer, answers, rank_grpo_trainer, rank_loss

OURS = ["parsing", "verdicts", "rewards", "advantages", "credit", "metrics", "log"]


class Clock:
    """Wall-clock seconds by part; a part that is called within another stops the other's clock."""

    def __init__(self):
        self.seconds: dict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = time.perf_counter()

    def time(self, owner: object, name: str, part: str) -> None:
        """Count what `owner.name` takes as `part`."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def timed(*args, **kwargs):
            self._switch()
            self._running.append(part)
            try:
                return original(*args, **kwargs)
            finally:
                self._switch()
                self._running.pop()

        setattr(owner, name, timed)

    def _switch(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds[self._running[-1] if self._running else "optimiser and the rest"] += now - self._since
        self._since = now


class Measurement(TrainerCallback):
    """From the end of the first generated batch to the end of training."""

    def __init__(self, clock: Clock):
        self._clock = clock
        self.steps = 0

    def on_step_end(self, args, state, control, **_):
        self.steps = state.global_step - args.num_iterations
        if not self.steps:
            self._clock.seconds.clear()

    def on_train_end(self, args, state, control, **_):
        self.seconds = dict(self._clock.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    args, flags = parser.parse_known_args()
    clock = Clock()
    for owner, name, part in [
        (GRPOTrainer, "_generate", "generation"),
        (GRPOTrainer, "_get_per_token_logps_and_entropies", "forward passes"),
        (GRPOTrainer, "_compute_loss", "loss"),
        (GRPOTrainer, "_generate_and_score_completions", "TRL's own accounts"),
        (Accelerator, "backward", "backward passes"),
        (annotate, "parse_batch", "parsing"),
        (annotate.Annotator, "annotate", "verdicts"),
        (RankGRPOTrainer, "_calculate_rewards", "rewards"),
        (rank_grpo_trainer, "grpo_advantages", "advantages"),
        (rank_grpo_trainer, "gdpo_advantages", "advantages"),
        (answers, "list_slots", "credit"),
        (rank_loss, "rank_level_old_logps", "credit"),
        (RankGRPOTrainer, "_generate_and_score_completions", "credit"),
        (rank_grpo_trainer, "advantage_metrics", "metrics"),
        (rank_grpo_trainer, "list_counts", "metrics"),
        (rank_grpo_trainer, "list_metrics", "metrics"),
        (rank_loss, "rank_sums", "metrics"),
        (rank_grpo_trainer, "step_tables", "log"),
        (LogWriter, "write_step", "log"),
        (LogWriter, "write_loss", "log"),
    ]:
        clock.time(owner, name, part)
    measurement, begin = Measurement(clock), RankGRPOTrainer.train

    def measured(self, *args, **kwargs):
        self.add_callback(measurement)
        return begin(self, *args, **kwargs)

    RankGRPOTrainer.train = measured
    train.main([*([] if "--max_steps" in flags else ["--max_steps", "12"]), "--save_strategy", "no", *flags])
    show(measurement.seconds, measurement.steps, args.json)


def show(seconds: dict[str, float], steps: int, file: Path | None) -> None:
    total = sum(seconds.values())
    ours = sum(seconds[part] for part in OURS)
    table = Table("part", "ms a step", "share", title=f"{steps} steps of {1000 * total / steps:.0f} ms")
    for part in sorted(seconds, key=lambda p: -seconds[p]):
        table.add_row(part, f"{1000 * seconds[part] / steps:.2f}", f"{seconds[part] / total:.2%}")
    table.add_row(f"all of {', '.join(OURS)}", f"{1000 * ours / steps:.2f}", f"{ours / total:.2%}")
    Console(width=120).print(table)
    if file:
        file.write_text(json.dumps({"steps": steps, "seconds": dict(seconds), "share": ours / total}, indent=1))


if __name__ == "__main__":
    main()
