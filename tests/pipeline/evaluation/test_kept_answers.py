"""Answers are on disk when they arrive: whatever stops the command, the same command goes on, and asks nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oracle import UserError
from pipeline.evaluate import main
from pipeline.evaluation.journal import Journal, files_of
from tests.pipeline.evaluation.loopback import Server

ROOT = Path(__file__).parents[3]
PROMPTS = [f"Prompt number {n}?" for n in range(24)]


@pytest.fixture
def asked(small, tmp_path, monkeypatch) -> list[str]:
    rows = [{"id": str(n), "prompt": text, "constraints": ["gore"]} for n, text in enumerate(PROMPTS)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.chdir(tmp_path)
    return ["--data", "data.jsonl", "--store", f"{small}/store.duckdb", "--output", f"{tmp_path}/answers", "--json"]


def kept(folder: Path) -> list[dict]:
    (file,) = (folder / "answers").glob("*.jsonl")
    entries = [json.loads(line) for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [entry for entry in entries if "settings" not in entry]


@pytest.fixture
def server(monkeypatch):
    with Server() as started:
        monkeypatch.setenv("LOOP_API_KEY", "not-a-key")
        monkeypatch.setenv("LOOP_BASE_URL", started.url)
        yield started


def remote(asked: list[str], *more: str) -> list[str]:
    return [*asked, "--model", "openai-api/loop/m", "--max_connections", "4", "--max_retries", "3", *more]


def killed_half_way(flags: list[str], folder: Path, sent: signal.Signals) -> None:
    """Start evaluate.py, and stop it when some answers are on disk."""
    line = [sys.executable, f"{ROOT}/pipeline/evaluate.py", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        line, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if list((folder / "answers").glob("*.jsonl")) and len(kept(folder)) >= 5:
                break
            time.sleep(0.02)
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    if sent == signal.SIGINT:
        assert process.returncode == 130 and b"the same command goes on" in said, said[-2000:]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_after_a_kill_the_same_command_goes_on_and_no_prompt_is_asked_twice(asked, tmp_path, server, capsys, sent):
    server.delay = 0.15
    killed_half_way(remote(asked), tmp_path, sent)
    before = {entry["row"] for entry in kept(tmp_path)}
    assert 5 <= len(before) < len(PROMPTS)
    answered_before = list(server.answered)
    server.delay = 0
    main(remote(asked))
    (row,) = json.loads(capsys.readouterr().out)
    assert row["lists"] == len(PROMPTS)
    again = server.answered[len(answered_before) :]
    assert not {PROMPTS[n] for n in before} & set(again)
    assert {entry["row"] for entry in kept(tmp_path)} == set(range(len(PROMPTS)))
    # What was on its way when the process died is all that can have been answered twice.
    assert len(server.answered) <= len(PROMPTS) + 4


def test_a_local_model_that_was_killed_ends_with_the_answers_of_one_that_was_not(asked, small, tmp_path):
    local = [*asked, "--model", f"{small}/model", "--max_completion_length", "8", "--batch_size", "2", "--samples", "2"]
    main(local)
    whole = kept(tmp_path)
    assert len(whole) == 2 * len(PROMPTS) and len({entry["text"] for entry in whole}) > 10
    (file,) = (tmp_path / "answers").glob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:8]) + lines[8][:20])  # as a kill in the middle of a write leaves it
    main(local)
    assert kept(tmp_path) == whole


def test_another_model_in_the_folder_of_one_before_or_of_its_base_is_another_model(tmp_path):
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    for folder in (base, adapter):
        folder.mkdir()
    (base / "model.safetensors").write_text("one")
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(base)}))
    assert files_of("some/model-of-the-hub") == "" and files_of(str(base / "model.safetensors")) != ""
    before = files_of(str(base)), files_of(str(adapter))
    assert before == (files_of(str(base)), files_of(str(adapter)))
    (base / "model.safetensors").write_text("three")
    assert files_of(str(base)) != before[0] and files_of(str(adapter)) != before[1]


def test_a_whole_set_of_answers_is_judged_again_without_a_question(asked, server, capsys):
    main(remote(asked))
    first, n = json.loads(capsys.readouterr().out), len(server.asked)
    main(remote(asked, "--risk_threshold", "0.99"))
    again = json.loads(capsys.readouterr().out)
    assert len(server.asked) == n and again[0]["risk_threshold"] == 0.99 and again[0]["lists"] == first[0]["lists"]
    main(remote(asked, "--temperature", "0.5"))
    assert len(server.asked) == 2 * n


def test_answers_are_one_commands_at_a_time(tmp_path):
    with (
        Journal(tmp_path / "a.jsonl", {}),
        pytest.raises(UserError, match="these answers are being written by another process"),
    ):
        Journal(tmp_path / "a.jsonl", {})
