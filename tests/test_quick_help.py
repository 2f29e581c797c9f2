"""`--help` answers at once: no command imports what is slow to import before it has parsed its arguments."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SLOW = [
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "polars",
    "pandas",
    "pyarrow",
    "duckdb",
    "streamlit",
]
COMMANDS = [
    ["pipeline/train.py"], ["pipeline/sft.py"], ["pipeline/evaluate.py"], ["pipeline/prepare.py"], ["pipeline/demo.py"],
    ["pipeline.cli"], ["pipeline.cli", "train"], ["pipeline.cli", "sft"], ["pipeline.cli", "evaluate"],
    ["pipeline.cli", "prepare"], ["pipeline.cli", "app"], ["pipeline.cli", "check"],
    ["oracle"], ["oracle", "check"], ["oracle", "explain"], ["oracle", "log"], ["oracle", "log", "query"], ["oracle", "store", "update"],
]  # fmt: skip
# Runs a command as Python would, and tells afterwards which of the modules it has imported.
PROBE = """
import runpy, sys
slow, sys.argv = sys.argv[1].split(","), sys.argv[2:]
try:
    run = runpy.run_path if sys.argv[0].endswith(".py") else runpy.run_module
    run(sys.argv[0], run_name="__main__")
except SystemExit as ended:
    print("exit", ended.code, *[name for name in slow if name in sys.modules])
"""


def imported_by(*arguments: str, folder: Path = ROOT) -> str:
    line = [sys.executable, "-c", PROBE, ",".join(SLOW), *arguments]
    done = subprocess.run(
        line, cwd=folder, capture_output=True, text=True, timeout=120, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.stdout, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_imports_nothing_that_is_slow(command):
    assert imported_by(*command, "--help") == "exit 0"


def test_one_verdict_needs_neither_torch_nor_polars(tmp_path):
    imported = imported_by("oracle", "check", "Saw", "2004", folder=tmp_path).split()
    assert imported[:2] == ["exit", "0"] and not {"torch", "transformers", "polars", "streamlit"} & {*imported}
