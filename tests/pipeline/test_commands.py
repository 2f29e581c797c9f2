"""The commands as people run them: bad input is one line and exit code 2; a run trains, logs and can be read in SQL."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]


def run(folder: Path, script: str, *flags: str) -> subprocess.CompletedProcess:
    line = [sys.executable, str(ROOT / "pipeline" / script), *flags]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=900)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Path, str]:
    """The demo's smoke version, in a folder of its own, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    flags = ["--smoke", "--seed", "5", "--num_generations", "4", "--per_device_train_batch_size", "8", "--mu", "1"]
    done = run(folder, "demo.py", *flags)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stdout


def test_the_demo_ends_with_its_table_and_what_to_open_next(demo):
    _, output = demo
    assert "before (SFT only)" in output and "after Safe-Rank-GRPO" in output
    assert "streamlit run app/main.py" in output


def test_each_step_of_the_demo_is_in_the_log_once(demo):
    folder, _ = demo
    files = f"{folder}/demo/store.log/*/step-*/completions.parquet"
    steps = duckdb.read_parquet(files).filter("step > 0").aggregate("step, count(*)").order("step")
    rows = steps.fetchall()
    assert rows == [(1, 8), (2, 8), (3, 8), (4, 8)]


def test_the_log_of_the_demo_can_be_derived_again(demo):
    folder, _ = demo
    with duckdb.connect(folder / "demo" / "store.duckdb", read_only=True) as store:
        assert store.sql("select count(*) from rederivation where differs").fetchall() == [(0,)]
        assert store.sql("select count(*) > 0 from verdicts").fetchall() == [(True,)]


def test_answers_of_any_model_can_be_evaluated(demo):
    folder, _ = demo
    answers = [
        {"id": "heldout-000000", "text": "1. Alien (1979)\n2. Zzyzx (1999)"},
        {"id": "heldout-000001", "text": "No."},
    ]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, answers)))
    data = ["--data", "demo/seed-5/conversations.parquet", "--store", "demo/store.duckdb"]
    done = run(folder, "evaluate.py", *data, "--answers", "a.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["lists_all"] == 2 and row["unresolved_rate_all"] == 0.5


@pytest.mark.parametrize(
    ("script", "flags", "said"),
    [
        ("train.py", ["--train_path", "none.parquet"], "--train_path none.parquet: not found"),
        ("train.py", ["--num_generations", "7"], "does not divide"),
        ("train.py", ["--resume", "nowhere"], "nowhere"),
        ("sft.py", ["--lr", "0"], "--lr 0.0"),
        ("evaluate.py", ["--data", "x"], "nothing to evaluate"),
        ("evaluate.py", ["--data", "none.parquet", "--answers", "a", "--store", "none.duckdb"], "none.duckdb"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, script, flags, said):
    done = run(tmp_path, script, *flags)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert said in line and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
