"""Trackers: which ones get the metrics, and that they arrive."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import train
from pipeline.settings.flags import TrainSettings
from pipeline.settings.trl_config import trackers, trainer_config

METRICS = {
    "svr", "unresolved_rate", "duplicate_rate", "hit_rate", "films_per_list", "frac_groups_without_signal",
    "advantage_std/rank_1", "rewards/relevance/mean", "rewards/relevance/std", "rewards/safety/mean",
    "rewards/safety/std", "kl", "entropy", "clip_ratio/region_mean",
}  # fmt: skip


@pytest.mark.parametrize(
    ("report_to", "project", "expected"),
    [
        ("none", None, []),
        ("wandb", None, ["wandb"]),
        ("none", "p", ["wandb"]),
        ("tensorboard", "p", ["tensorboard", "wandb"]),
        ("trackio", "p", ["trackio"]),
    ],
)
def test_metrics_go_to_the_tracker_that_was_named_and_to_a_projects_own(report_to, project, expected):
    settings = TrainSettings(report_to=report_to, wandb_project=project)
    assert trackers(settings) == expected
    config = trainer_config(settings, [1.0, 1.0], "x")
    assert config.report_to == expected and config.project == (project or "safe-rank-grpo")


def test_wandb_is_told_the_project(small_flags, monkeypatch):
    """transformers' tracker of Weights & Biases reads it from the environment alone."""
    seen: list[str] = []
    monkeypatch.setattr("pipeline.settings.checks._installed", lambda package: True)
    monkeypatch.setattr(
        "pipeline.training.session.RankGRPOTrainer", lambda **_: seen.append(os.environ["WANDB_PROJECT"]) or stop()
    )
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    with pytest.raises(InterruptedError):
        train.main([*small_flags, "--wandb_project", "films"])
    assert seen == ["films"]


def stop():
    raise InterruptedError


def test_every_metric_arrives_in_tensorboard(small_flags):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="tensorboard is not installed"
    )
    train.main([*small_flags, "--report_to", "tensorboard", "--max_steps", "2", "--output_dir", "run"])
    events = accumulator.EventAccumulator(str(next(Path("run/runs").iterdir())))
    events.Reload()
    arrived = set(events.Tags()["scalars"])
    assert {f"train/{name}" for name in METRICS} <= arrived
    assert [e.step for e in events.Scalars("train/unresolved_rate")] == [1, 2]


def test_every_metric_arrives_in_wandb(small_flags, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_PROJECT", "")
    train.main([*small_flags, "--wandb_project", "films", "--max_steps", "2", "--output_dir", "run"])
    try:
        assert wandb.run.project == "films"
        arrived = set(dict(wandb.run.summary))
    finally:
        wandb.finish()
    assert {f"train/{name}" for name in METRICS} <= arrived


def test_every_metric_arrives_in_trackio(small_flags, tmp_path):
    """In a process of its own: trackio decides where its files are when it is imported."""
    pytest.importorskip("trackio", reason="trackio is not installed")
    script = str(Path(train.__file__))
    environment = os.environ | {"TRACKIO_DIR": str(tmp_path / "trackio"), "HF_HUB_OFFLINE": "1"}
    flags = [
        *small_flags,
        "--report_to",
        "trackio",
        "--wandb_project",
        "films",
        "--max_steps",
        "2",
        "--output_dir",
        "run",
    ]
    done = subprocess.run([sys.executable, script, *flags], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (database,) = (tmp_path / "trackio").glob("films*.db")
    with sqlite3.connect(database) as connection:
        rows = [json.loads(row) for (row,) in connection.execute("select metrics from metrics order by step")]
    assert {f"train/{name}" for name in METRICS} <= {name for row in rows for name in row}
