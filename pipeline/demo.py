#!/usr/bin/env python
"""The whole loop on bundled films: SFT, evaluation, Safe-Rank-GRPO, evaluation again, and the table of both.

python pipeline/demo.py                # about 15 minutes on 2 CPU cores
python pipeline/demo.py --seed 1       # another simulated world
python pipeline/demo.py --smoke        # a few steps only, to see that everything runs
"""

import argparse
import shlex
import subprocess
import sys
import time
from pathlib import Path

import yaml

from oracle.base.command import command, when_stopped
from oracle.base.errors import UserError
from oracle.base.flags import FlagParser
from pipeline.settings.fields import CONFIGS

SCRIPTS = Path(__file__).parent


def main(argv: list[str]) -> None:
    when_stopped("an SFT model that is done stays; a training run goes on with: python pipeline/train.py --resume")
    parser = FlagParser(prog="demo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=3407, help="of the simulated world, SFT and training")
    parser.add_argument("--split", default="heldout", help="users to report on; tune settings on: tune")
    parser.add_argument("--smoke", action="store_true", help="3 steps of each stage, 40 prompts")
    args, train_flags = parser.parse_known_args(argv)
    from pipeline.evaluation.output import print_summaries  # slow to import: behind --help
    from pipeline.evaluation.results import summaries
    from pipeline.simulation.demo_data import demo_paths

    paths = demo_paths(args.seed)
    if earlier := sorted(Path("runs").glob("*-*/final")):
        print(f"Earlier runs stay where they are: {', '.join(str(p.parent) for p in earlier)}")
    started = time.monotonic()
    few = ["--max_steps", "3"] if args.smoke else []
    seed = ["--seed", str(args.seed)]
    if not (Path(paths["sft"]) / "config.json").exists():
        _run("sft.py", *seed, *few)
    _run("train.py", *seed, *few, *train_flags)
    trained = max(Path("runs").glob("*-*/final"), key=lambda p: p.stat().st_mtime)
    runs = evaluate(paths, [paths["sft"], str(trained)], args.split, args.seed, ["--limit", "40"] if args.smoke else [])
    rows = summaries(paths["store"], runs)
    for row, name in zip(rows, ("before (SFT only)", "after Safe-Rank-GRPO"), strict=True):
        row["model"] = name
    print()
    print_summaries(rows, f"{args.split} prompts with constraints")
    print(f"Simulated users, seed {args.seed}; {(time.monotonic() - started) / 60:.1f} minutes. Next:\n")
    print(f"  .venv/bin/streamlit run app/main.py -- --store {paths['store']}      # audit every rank in the browser")
    print(
        f"  .venv/bin/python -m oracle log list --store {paths['store']}         # runs in the log; SQL: see docs/sql.md"
    )


def evaluate(paths: dict[str, str], models: list[str], split: str, seed: int, more: list[str]) -> list[str]:
    """Evaluate models on a split of the demo; returns the ids of the runs in the log, in order."""
    length = yaml.safe_load((CONFIGS / "demo.yaml").read_text())["train"]["max_completion_length"]
    output = _run(
        "evaluate.py", "--data", paths["train_path"], "--split", split, "--store", paths["store"], "--seed", str(seed),
        "--max_completion_length", str(length), "--batch_size", "200", "--ids", *more, "--model", *models,
    )  # fmt: skip
    return output.split()


def _run(script: str, *flags: str) -> str:
    """Run a script of this folder as a user would: its progress goes to the terminal, and what evaluate.py prints is
    returned."""
    line = [sys.executable, str(SCRIPTS / script), *flags]
    print("\n$ python", shlex.join(["pipeline/" + script, *flags]), flush=True)
    done = subprocess.run(line, stdout=subprocess.PIPE if script == "evaluate.py" else None, text=True)
    if done.returncode == 130:
        raise KeyboardInterrupt
    if done.returncode:
        raise UserError(f"pipeline/{script} stopped with exit code {done.returncode}; what it printed above says why")
    return done.stdout or ""


if __name__ == "__main__":
    command(main, sys.argv[1:])
