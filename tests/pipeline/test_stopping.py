"""Ctrl-C in the middle of a training run, in a real process: one line that says how to go on, and a run that can go on."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from oracle.log import open_log
from pipeline.training.runs import checkpoint_step, find_run, going_on, last_checkpoint

ROOT = Path(__file__).parents[2]


def test_a_run_that_is_stopped_says_how_to_go_on_and_can(small, small_flags):
    line = [sys.executable, f"{ROOT}/pipeline/train.py", *small_flags, "--max_steps", "5000", "--save_steps", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [*line, "--output_dir", "run"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    guard = threading.Timer(300, process.kill)
    guard.start()
    while not Path("run/checkpoint-2/trainer_state.json").exists():
        assert process.poll() is None, process.communicate()[1][-2000:]
        threading.Event().wait(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1].splitlines()
    guard.cancel()
    step = checkpoint_step(last_checkpoint("run"))
    ends = [line for line in said if line.startswith(("stopped", "Traceback", "error"))]
    assert len(ends) == 1, said[-12:]
    last = ends[0]
    assert process.returncode == 130
    assert not [line for line in said if "FutureWarning" in line], "what libraries rename is nobody's business here"
    assert last == f"stopped; its finished steps are in the log; go on from step {step} with --resume run"
    assert find_run("run") == Path("run")
    with open_log(f"{small}/store.log") as log:
        run_id = Path("run/run_id").read_text()
        steps = log.execute("select step, count(*) from rollouts where run_id = ? group by step", [run_id]).fetchall()
    assert sorted(steps) == [(n, 8) for n in range(1, len(steps) + 1)] and len(steps) >= step


def test_a_run_without_a_checkpoint_is_to_begin_again(tmp_path):
    assert "begin again" in going_on(tmp_path, 3) and "--resume" not in going_on(tmp_path, 3)
