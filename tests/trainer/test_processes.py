"""Two real processes (gloo, CPU) do what one does with the same global batch."""

import json
import subprocess
from pathlib import Path

import polars as pl
import pytest
import torch

from oracle import build_store
from oracle.log import open_log
from tests.trainer import parity
from tests.trainer.drive import film_store, tiny_model
from tests.trainer.sharded_cpu import KINDS, ROOT, launch
from tests.trainer.tokenizers import byte_level


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """The folder of what one process wrote."""
    folder = tmp_path_factory.mktemp("one")
    tiny_model().save_pretrained(folder / "model")
    byte_level().save_pretrained(folder / "model")
    build_store(folder / "store.duckdb", **film_store())
    for name, case in parity.CASES.items():
        trainer = parity.train(folder, name, **case)
    parity.evaluate(folder, trainer)
    return folder


@pytest.fixture(scope="module", params=["two_gpus", *KINDS])
def runs(request, one, tmp_path_factory) -> tuple[Path, Path]:
    """The folders of what two processes, which share the model in one of three ways, and one process wrote."""
    two = tmp_path_factory.mktemp(request.param)
    for name in ("model", "store.duckdb"):
        (two / name).symlink_to(one / name)
    command, environment = launch(request.param, "tests.trainer.parity", str(two))
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[:6000]
    return two, one


def test_two_processes_really_ran(runs):
    written = [(runs[0] / f"process-{rank}").read_text() for rank in (0, 1)]
    assert all(text.endswith("of 2, gloo") for text in written)
    assert written[0] != written[1]


@pytest.mark.parametrize("case", parity.CASES)
def test_two_processes_log_the_rewards_and_advantages_of_one(runs, case):
    two, one = (rollout_log(folder / f"{case}.log") for folder in runs)
    for name in ("completions", "verdicts"):
        a, b = two[name], one[name]
        assert a.height == b.height > 0
        floats = [n for n, kind in b.schema.items() if kind.is_float()]
        assert a.drop(floats).equals(b.drop(floats), null_equal=True)
        for column in floats:
            assert a[column].to_list() == pytest.approx(b[column].to_list(), abs=1e-9, nan_ok=True), column
    assert two["verdicts"]["advantage"].abs().max() > 0.1
    assert two["completions"]["step"].unique().sort().to_list() == [1, 3]  # each batch is used twice


@pytest.mark.parametrize("case", parity.CASES)
def test_two_processes_take_the_gradient_steps_of_one(runs, case):
    """Plain gradient descent without clipping: equal weights are equal gradients."""
    start = tiny_model().state_dict()
    two, one = (torch.load(folder / f"{case}.pt") for folder in runs)
    assert two.keys() == one.keys()
    moved = {name: (one[name] - start[name]).norm() for name in one}
    assert max(moved.values()) > 1e-2
    for name in one:
        assert (two[name] - one[name]).norm() <= 1e-5 * moved[name] + 1e-6, name


@pytest.mark.parametrize("case", parity.CASES)
def test_two_processes_show_trackers_the_metrics_of_one(runs, case):
    two, one = (json.loads((folder / f"{case}.json").read_text()) for folder in runs)
    assert len(two) == len(one)
    # Not of the whole step: times, and what TRL means over micro-batches, which are others in two processes.
    per_process = ["time", "per_second", "runtime", "loss", "num_tokens", "flos"]
    if parity.CASES[case].get("accumulation"):
        per_process += ["kl", "clip_ratio"]
    for a, b in zip(two, one, strict=True):
        assert a.keys() == b.keys()
        shared = {name for name in b if not any(word in name for word in per_process)}
        assert {n: a[n] for n in shared} == pytest.approx({n: b[n] for n in shared}, abs=1e-5, rel=1e-4)
    assert {"svr", "unresolved_rate", "rewards/safety/mean", "advantage_std/rank_1"} <= one[0].keys()
    assert ("kl" in one[0]) == (parity.CASES[case].get("beta") != 0)


def test_two_processes_evaluate_each_prompt_once_as_one_does(runs):
    """What fills the last batch of two is in no rate: trackers show the figures of the log."""
    for folder in runs:
        line = json.loads((folder / "evaluation.json").read_text())
        with open_log(folder / f"{[*parity.CASES][-1]}-evaluation.log") as log:
            [row] = log.sql("from step_curves").to_arrow_table().to_pylist()
        assert (row["step"], row["lists"]) == (4, 3)
        rates = {name: line[f"eval_{name}"] for name in row if f"eval_{name}" in line}
        assert rates == pytest.approx({name: row[name] for name in rates})
        # No film; an unknown one, Frozen and Alien; The Thing and Saw twice.
        assert {name: rates[name] for name in EVALUATED} == pytest.approx(EVALUATED)


EVALUATED = {"svr": 3 / 6, "unresolved_rate": 1 / 6, "duplicate_rate": 1 / 6, "recall": 1 / 3, "count_k": 6 / 3}


def rollout_log(root: Path) -> dict[str, pl.DataFrame]:
    """All steps of the only run in a log, without what names the run."""
    tables = {}
    for name in ("completions", "verdicts"):
        frame = pl.read_parquet(root / "*" / "step-*" / f"{name}.parquet", hive_partitioning=False)
        keys = [n for n in ("step", "completion", "rank", "start") if n in frame.columns]
        tables[name] = frame.drop("run_id", strict=False).sort(keys)
    return tables
