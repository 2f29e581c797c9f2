#!/usr/bin/env python
"""The whole loop on bundled films: SFT, evaluation, Safe-Rank-GRPO, evaluation again, and the table of both.

python pipeline/demo.py                # says at its start how long it will take here; goes on where it was stopped
python pipeline/demo.py --seed 1       # another simulated world
python pipeline/demo.py --smoke        # a few steps only, in less than 2 minutes, to see that everything runs
python pipeline/demo.py --kl_beta 0.1  # with other settings: any flags of train.py
"""

import argparse
import contextlib
import hashlib
import io
import shlex
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from oracle.base.command import command, go_on_unread, when_stopped
from oracle.base.flags import FlagParser
from pipeline.settings.flags import CONFIGS

GOES_ON = "the same command goes on from here"


def main(argv: list[str]) -> None:
    when_stopped(GOES_ON)
    go_on_unread()
    parser = FlagParser(prog="demo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=3407, help="of the simulated world, SFT and training")
    parser.add_argument("--split", default="heldout", help="users to report on; tune settings on: tune")
    parser.add_argument("--smoke", action="store_true", help="few steps of each stage, 40 prompts")
    args, train_flags = parser.parse_known_args(argv)
    demo = Demo(args.seed, args.split, args.smoke, train_flags)
    print(f"Models and data go to {demo.folder}, verdicts to demo/store.log.", flush=True)
    started = time.monotonic()
    demo.prepare()
    if not args.smoke:
        demo.say_how_long()
    demo.fine_tune()
    demo.train()
    rows = demo.evaluate()
    demo.report(rows)
    print(f"Simulated users, seed {args.seed}; {(time.monotonic() - started) / 60:.1f} minutes. Next:\n")
    print(f"  .venv/bin/streamlit run app/main.py -- --store {demo.store}      # audit every rank in the browser")
    print(f"  .venv/bin/python -m oracle log list --store {demo.store}         # runs in the log; SQL: see docs/sql.md")


@dataclass
class Demo:
    """The stages, each of which does only what is left to do."""

    seed: int
    split: str
    smoke: bool
    train_flags: list[str]

    def __post_init__(self):
        from pipeline.simulation.demo_data import demo_paths

        self.paths = demo_paths(self.seed)
        self.store = self.paths["store"]
        self.settings = yaml.safe_load((CONFIGS / "demo.yaml").read_text())
        seed_folder = Path(self.paths["train_path"]).parent
        self.folder = seed_folder / "smoke" if self.smoke else seed_folder
        self.sft = self.folder / Path(self.paths["sft"]).name
        # Other settings are another run; the same ones go on with theirs.
        digest = hashlib.sha256(shlex.join(self.train_flags).encode()).hexdigest()[:8]
        self.run = self.folder / ("trained" + (f"-{digest}" if self.train_flags else ""))
        self.few = self.settings["smoke"] if self.smoke else {}

    @property
    def is_fine_tuned(self) -> bool:
        return (self.sft / "tokenizer_config.json").exists()  # which is written last

    @property
    def is_trained(self) -> bool:
        return (self.run / "final" / "tokenizer_config.json").exists()

    def prepare(self) -> None:
        from pipeline.simulation.demo_data import make_demo_data

        make_demo_data(self.seed)

    def say_how_long(self) -> None:
        """From two steps of an untrained model here; of the stages that are still to come."""
        from pipeline.simulation.duration import expected_seconds

        seconds = expected_seconds(
            self.paths["model_name"],
            sft={} if self.is_fine_tuned else self.settings["sft"],
            train={} if self.is_trained else self.settings["train"],
            answers=2 * self.settings["world"].get(self.split, 0),
        )
        minutes = max(1, round(seconds / 60))
        print(f"By the time of two steps here, this takes about {minutes} min.", flush=True)

    def fine_tune(self) -> None:
        if self.is_fine_tuned:
            print(f"SFT is done: {self.sft}")
            return
        from pipeline import sft

        few = ["--max_steps", str(self.few["sft_steps"])] if self.smoke else []
        _run(sft, "--seed", str(self.seed), "--output_dir", str(self.sft), *few)

    def train(self) -> None:
        from pipeline import train
        from pipeline.training.runs import can_be_resumed

        if self.is_trained:
            print(f"Training is done: {self.run}")
        elif can_be_resumed(self.run):
            _run(train, "--resume", str(self.run))
        else:
            shutil.rmtree(self.run, ignore_errors=True)  # of a run that was stopped before its first checkpoint
            config = self.folder / "train.yaml"
            inputs = {name: self.paths[name] for name in ("train_path", "store")}
            start = {"model_name": str(self.sft), "sft_model_path": str(self.sft), "seed": self.seed}
            few = {"max_steps": self.few["train_steps"]} if self.smoke else {}
            config.write_text(yaml.safe_dump({**inputs, **start, **self.settings["train"], **few}, sort_keys=False))
            _run(train, "--config", str(config), "--output_dir", str(self.run), *self.train_flags)

    def evaluate(self) -> list[dict]:
        """The summaries of both models, from the log."""
        from pipeline import evaluate
        from pipeline.evaluation.results import summaries

        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            _run(
                evaluate, "--data", self.paths["train_path"], "--split", self.split, "--store", self.store,
                "--seed", str(self.seed), "--batch_size", "200", "--ids",
                "--max_completion_length", str(self.settings["train"]["max_completion_length"]),
                *(["--limit", str(self.few["prompts"])] if self.smoke else []),
                "--model", str(self.sft), str(self.run / "final"),
            )  # fmt: skip
        return summaries(self.store, printed.getvalue().split())

    def report(self, rows: list[dict]) -> None:
        from pipeline.evaluation.output import print_summaries

        for row, name in zip(rows, ("before (SFT only)", "after Safe-Rank-GRPO"), strict=True):
            row["model"] = name
        print()
        print_summaries(rows, f"{self.split} prompts with constraints")


def _run(script, *flags: str) -> None:
    """What `python pipeline/<script>.py <flags>` does, without starting Python and importing torch once more."""
    name = script.__name__.rpartition(".")[2]
    print(f"\n$ python pipeline/{name}.py", shlex.join(flags), file=sys.stderr, flush=True)
    try:
        script.main(list(flags))
    finally:
        when_stopped(GOES_ON)  # in place of what the script says of itself


if __name__ == "__main__":
    command(main, sys.argv[1:])
