"""`inspect eval safe_rank/recommend` works by itself, and its logs are answers to evaluate.py."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log

from pipeline.evaluate import main
from tests.pipeline.evaluation.loopback import Server

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def log(small, tmp_path_factory) -> Path:
    """The .eval log of inspect's own command, and the data beside it (mockllm counts tokens by a table from the network)."""
    folder = tmp_path_factory.mktemp("inspect")
    rows = [
        {
            "id": name,
            "prompt": f"Prompt {name}?",
            "constraints": ["gore"],
            "groundtruth_with_release_year": [["Alien", 1979]],
        }
        for name in "abc"
    ]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    # As an installed package declares it.
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["inspect_ai"]
    declared = folder / "path" / "safe_rank_points-1.dist-info"
    declared.mkdir(parents=True)
    (declared / "METADATA").write_text("Metadata-Version: 2.1\nName: safe-rank-points\nVersion: 1\n")
    (declared / "entry_points.txt").write_text(
        "[inspect_ai]\n" + "\n".join(f"{k} = {v}" for k, v in points.items()) + "\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{folder / 'path'}",
        "OMP_NUM_THREADS": "1",
        "INSPECT_DISPLAY": "plain",
    }
    command = [
        sys.executable, "-m", "inspect_ai", "eval", "safe_rank/recommend", "--model", "openai-api/loop/m", "--epochs", "2",
        "-T", "data=data.jsonl", "-T", f"store={small}/store.duckdb", "--log-dir", "logs",
    ]  # fmt: skip
    with Server() as server:
        environment |= {"LOOP_API_KEY": "not-a-key", "LOOP_BASE_URL": server.url}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (path,) = (folder / "logs").glob("*.eval")
    return path


def test_the_task_is_found_by_its_name_and_its_scores_hold_verdicts(log):
    read = read_eval_log(str(log))
    assert read.status == "success", read.error
    assert len(read.samples) == 6
    (score,) = read.samples[0].scores.values()
    assert set(score.value) == {"svr", "recall", "ndcg", "films", "unresolved"}


def test_its_log_is_read_back_with_all_epochs(log, small, capsys, monkeypatch):
    monkeypatch.chdir(log.parents[1])
    main(["--data", "data.jsonl", "--store", f"{small}/store.duckdb", "--answers", str(log), "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["model"], row["lists"]) == ("openai-api/loop/m", 6)


def test_its_figures_are_those_of_the_log(small, tmp_path, monkeypatch, capsys):
    from oracle import create_oracle
    from oracle.annotate import Annotator
    from pipeline.evaluation.inspect_task import explanation, figures_of

    text = "1. Saw (2004)\n2. Alien (1979)\n3. Zzyzx (1999)"
    judged = Annotator(create_oracle(store=f"{small}/store.duckdb")).annotate(
        [text], [[["Alien", 1979]]], [[]], [["gore"]]
    )
    row = {
        "id": "a",
        "prompt": "Hi",
        "constraints": ["gore"],
        "groundtruth_with_release_year": [["Alien", 1979]],
        "text": text,
    }
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    monkeypatch.chdir(tmp_path)
    main(["--data", "a.jsonl", "--store", f"{small}/store.duckdb", "--answers", "a.jsonl", "--json"])
    (summary,) = json.loads(capsys.readouterr().out)
    found = figures_of(judged, 20)
    assert found == pytest.approx(
        {"svr": summary["svr_20"], "recall": 1.0, "ndcg": summary["ndcg_20"], "films": 3, "unresolved": 1}
    )
    assert "1. Saw: Saw (2004), violates Anti-gore" in explanation(judged) and "3. Zzyzx: not found" in explanation(
        judged
    )
