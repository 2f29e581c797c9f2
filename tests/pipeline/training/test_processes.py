"""Several processes are one run: one log, one folder of checkpoints."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import torch

from pipeline.training.processes import on_cpu

ROOT = Path(__file__).parents[3]


def test_two_processes_train_one_run(small_flags, small):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    flags = [*small_flags, "--gradient_accumulation_steps", "1", "--max_steps", "2", "--save_steps", "2"]
    done = subprocess.run(
        [*launch, str(ROOT / "pipeline" / "train.py"), *flags], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = Path("runs").iterdir()
    assert f"run {run.name} in 2 processes: 12 prompts (4 without constraints)" in done.stdout
    assert (run / "checkpoint-2" / "rng_state_0.pth").exists() and (run / "checkpoint-2" / "rng_state_1.pth").exists()
    with duckdb.connect(small / "store.duckdb", read_only=True) as store:
        steps = "select step, count(*), count(distinct completion) from rollouts where run_id = ? group by 1 order by 1"
        assert store.execute(steps, [run.name]).fetchall() == [(1, 8, 8), (2, 8, 8)]


@pytest.mark.parametrize(
    ("accelerator", "mps", "expected"), [(False, False, True), (True, False, False), (True, True, True)]
)
def test_apples_gpu_counts_as_a_cpu_for_it_has_no_float64(monkeypatch, accelerator, mps, expected):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerator)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert on_cpu() == expected


ABORTS = """
import atexit, os, sys
atexit.register(os.abort)  # registered first, so it comes last: as what C++ does when Python has taken itself down
from pipeline.training import processes
import torch
torch.distributed.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=0, world_size=1)
print("all is done")
if sys.argv[2] == "done":
    processes.work_is_done()
"""


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("not done", -signal.SIGABRT)])
def test_what_would_abort_a_process_of_a_group_behind_its_work_is_not_reached(tmp_path, state, code):
    done = subprocess.run(
        [sys.executable, "-c", ABORTS, str(tmp_path / "group"), state],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "all is done\n" if code == 0 else done.stdout)
