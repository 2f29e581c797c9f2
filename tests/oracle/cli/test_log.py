"""The commands, as a person types them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle.base.printable import one_line
from oracle.cli.main import main
from oracle.log import LogWriter
from oracle.store.build import build_starter_store
from tests.tiny_log import write_tiny_log

ROOT = Path(__file__).parents[3]


@pytest.fixture
def log(tmp_path, capsys, monkeypatch):
    """Call a command on a log with one run: (exit code, what it printed, what it said on stderr)."""
    monkeypatch.chdir(tmp_path)
    run_id = write_tiny_log(tmp_path / "store.log")

    def call(command, *arguments):
        code = main(["log", command, "--store", str(tmp_path / "store.duckdb"), *map(str, arguments)])
        return code, *capsys.readouterr()

    call.run_id, call.folder = run_id, tmp_path
    return call


def test_runs_are_listed(log):
    code, out, _ = log("list", "--json")
    (run,) = [json.loads(line) for line in out.splitlines()]
    assert (code, run["run_id"], run["steps"], run["kind"]) == (0, log.run_id, 2, "train")
    assert log.run_id in log("list")[1]


def test_json_writes_null_for_numbers_that_json_has_not_and_its_help_says_so(log, capsys):
    code, out, _ = log(
        "query", "--sql", "select 'nan'::double as a, '-infinity'::float as b, 1.5::double as c", "--json"
    )
    assert (code, json.loads(out)) == (0, {"a": None, "b": None, "c": 1.5})
    with pytest.raises(SystemExit):
        main(["log", "query", "--help"])
    assert "null also where a number is infinite or none (NaN)" in " ".join(capsys.readouterr().out.split())


def test_named_queries_are_listed_and_asked(log):
    assert "Which films cause the penalties?" in log("query")[1]
    code, out, _ = log("query", "worst_films", "--run", log.run_id, "--json")
    assert (code, json.loads(out)["title"]) == (0, "Saw")
    code, out, _ = log("query", "answer_explained", "--step", 1, "--completion", 0)
    assert code == 0 and "It violates gore: risk 0.92 ≥ 0.66" in out


def test_any_select_is_answered_on_the_screen_or_into_a_file(log):
    code, out, _ = log("query", "--sql", "select 41 + 1 as answer", "--json")
    assert (code, json.loads(out)) == (0, {"answer": 42})
    (log.folder / "n\udce9").mkdir()  # bytes that are no text
    for name in ("rows.csv", "rows.parquet", "n\udce9/rows.csv", "n\udce9/rows.parquet"):
        code, out, err = log("query", "--sql", "from verdicts", "--out", log.folder / name)
        assert (code, out, err.strip()) == (0, "", f"25 rows in {one_line(log.folder / name)}")
        assert (log.folder / name).exists()
    assert pq.read_table(log.folder / "rows.parquet").num_rows == 25
    written = (log.folder / "rows.csv").read_text()
    assert written.count("\n") >= 26 and '"[""gore""]"' in written  # nested values as JSON


def test_a_select_is_about_what_the_flags_choose(log):
    sql = (
        "select chosen_run() as run, chosen_other_run() as other, Chosen_Step() as step, getvariable('completion') as n"
    )
    chosen = ("--run", log.run_id, "--other-run", log.run_id, "--step", 1, "--completion", 2)
    code, out, _ = log("query", "--sql", sql, "--json", *chosen)
    assert (code, json.loads(out)) == (0, {"run": log.run_id, "other": log.run_id, "step": 1, "n": 2})
    code, out, _ = log("query", "--sql", sql, "--json")
    assert (code, json.loads(out)) == (0, {"run": log.run_id, "other": None, "step": 2, "n": None})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("query", "worst"), "no query 'worst': there are"),
        (("query", "worst_films", "--sql", "select 1"), "give one of them"),
        (("query", "--sql", "drop view runs"), "expected one SELECT, got DROP"),
        (("query", "--sql", "from nowhere"), "nowhere does not exist"),
        (("query", "--sql", "select 1", "--out", "rows.txt"), "expected a name that ends in .csv or .parquet"),
        (("query", "worst_films", "--step", 1), "can't be asked about a step"),
        (("query", "rederivation", "--step", 9999), "has no step 9999 in this log: its 2 are 1 to 2"),
        (("query", "answer_explained", "--step", -1), "has no step -1 in this log: its 2 are 1 to 2"),
        (
            ("query", "answer_explained", "--completion", 4),
            ", step 2, has no completion 4 in this log: its 4 are 0 to 3",
        ),
        (("query", "--sql", "select chosen_step()", "--step", 3), "has no step 3 in this log: its 2 are 1 to 2"),
        (("query", "compare_with_previous"), "the log has no run of its kind before 2"),
        (("query", "--sql", "select chosen_run()", "--run", "no"), "no run 'no' in this log: it has 2"),
        (("query", "--sql", "select chosen_other_run()", "--other-run", "no"), "no run 'no' in this log: it has 2"),
        (("query", "--sql", "from runs", "--run", "no"), "nowhere that it is about a run: write chosen_run() where"),
        (
            ("query", "--sql", "select chosen_run()", "--step", 1),
            "nowhere that it is about a step: write chosen_step()",
        ),
        (("query", "--sql", "select 1", "--completion", 1), "about a completion: write getvariable('completion')"),
        (("query", "--sql", "select 1 as n, 2 as n", "--json"), "several columns are called n: name them apart"),
        (("query", "--sql", "select 1 as n, 2 as n", "--out", "rows.csv"), "several columns are called n: name them"),
        (
            ("query", "--sql", "select 1 as n, 2 as n", "--out", "rows.parquet"),
            "several columns are called n: name them",
        ),
        (("delete", "20200101-000000-0000"), "say --yes if you mean it"),
        (("delete", "20200101-000000-0000", "--yes"), "no run '20200101-000000-0000'"),
        (("compact", "20200101-000000-0000"), "no run '20200101-000000-0000'"),
        (("export", "20200101-000000-0000", "x.parquet"), "no run '20200101-000000-0000'"),
        (("query", "--sql", "select 1", "--out", "no/such/folder/rows.csv"), "there is no folder"),
        (("query", "--sql", "select 1", "--out", "/dev/full.csv/x.csv"), "there is no folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, said, log):
    code, out, err = log(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and said in err and err.count("\n") == 1
    assert not any(Path(name).exists() for name in ("rows.csv", "rows.parquet"))


def test_a_run_of_odd_values_is_listed_and_named_without_harm(log):
    path = log.folder / "store.log" / log.run_id / "run.parquet"
    run = pq.read_table(path)
    at = run.column_names.index("started_at")
    started_at = run.schema.field("started_at")
    pq.write_table(run.set_column(at, started_at, pa.array([2**62], pa.int64()).cast(started_at.type)), path)
    path.parent.rename(path.parents[1] / "9\x1b[2J")  # a run takes its name from its folder
    for command in (["list"], ["list", "--json"], ["query", "worst_films"]):
        code, out, err = log(*command)
        assert code == 0 and "\x1b" not in out + err
        assert "[2J" in out + err


def test_a_query_that_hears_nobody_ends_all_the_same(log):
    """DuckDB looks at no clock while it computes this."""
    sql = "select length((repeat('9', 30000000)::bignum)::varchar)"
    line = [
        "-m",
        "oracle",
        "log",
        "query",
        "--timeout",
        "0.1",
        "--sql",
        sql,
        "--store",
        str(log.folder / "store.duckdb"),
    ]
    done = subprocess.run([sys.executable, *line], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the query was stopped after 0.1 s: narrow it down to a run or a step\n"


def test_the_time_of_a_query_is_its_own_and_not_that_of_a_slow_disk_as_help_says(log, capsys):
    """Each copy takes longer than `--timeout` and the two seconds after which the command would end."""
    build_starter_store(store := log.folder / "store.duckdb")
    script = f"""
import shutil, sys, time
from oracle.cli.main import main
copy = shutil.copyfile
def slowly(*paths):
    time.sleep(3.5)
    return copy(*paths)
shutil.copyfile = slowly
sys.exit(main(["log", "query", "--timeout", "1", "--sql", "select 7 as n", "--json", "--store", {str(store)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"n": 7}), done.stderr
    with pytest.raises(SystemExit):
        main(["log", "query", "--help"])
    assert "the time to copy the store and open the log is not in it" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("proc", ["there", "not there"])
def test_a_query_that_takes_more_memory_than_duckdb_may_ends(proc):
    script = f"""
import time, duckdb, psutil
from oracle.cli.watch import watched
def refuse(*_): raise psutil.NoSuchProcess(1)
if {proc != "there"}: psutil.Process = refuse
with watched(duckdb.connect(config={{"memory_limit": "1MB"}}), 1000):
    time.sleep(1000)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert re.fullmatch(r"error: the query took more than .* KiB of memory and was stopped: .*\n", done.stderr)


def test_of_all_runs_the_merged_ones_are_told_and_one_that_fails_is_no_success_as_one_in_use_is(log):
    root = log.folder / "store.log"
    with LogWriter.resume(root, log.run_id):
        code, out, err = log("compact", "--no-wait")
        assert (code, out) == (0, "") and err.startswith(f"left as it is: run {log.run_id} is being written by another")
        other = Path(shutil.copytree(root / log.run_id, root / "1-other"))
    (other / ".lock").unlink()
    (other / ".lock").mkdir()  # as unfit for a lock as one that may not be opened, whoever runs this
    code, out, err = log("compact", "--no-wait")
    assert (code, out) == (2, f"{log.run_id}: 2 steps merged, 0 folders removed\n")
    refused, failed = err.splitlines()
    assert refused.startswith("left as it is: cannot write to run 1-other: ")
    assert failed == "error: 1 of 2 runs could not be merged: the lines above say why"


def test_of_several_runs_those_are_deleted_that_can_be_and_the_others_told(log):
    code, out, err = log("delete", "20200101-000000-0000", log.run_id, "1-none", "--yes")
    assert (code, out) == (2, f"{log.run_id}: deleted\n")
    assert [line.partition("' in")[0] for line in err.splitlines()] == [
        "error: no run '20200101-000000-0000",
        "error: no run '1-none",
    ]


def test_runs_are_all_deleted_or_merged_though_nobody_reads_what_is_said(log):
    root = log.folder / "store.log"
    for number in range(3):
        shutil.copytree(root / log.run_id, root / f"1-{number}")
    for command in ("compact --no-wait", f"delete {log.run_id} 1-0 1-1 1-2 --yes"):
        line = f"{sys.executable} -m oracle log {command} --store {log.folder / 'store.duckdb'} | true; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", line],
            env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)},
            capture_output=True,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert len(list(root.glob("[0-9]*/manifest-00000001.parquet"))) == (4 if command.startswith("compact") else 0)
    assert not list(root.glob("[0-9]*"))


@pytest.mark.parametrize("is_merged", [True, False])
def test_a_merge_removes_what_a_killed_deletion_left_also_where_no_run_is_left(log, is_merged):
    root = log.folder / "store.log"
    if is_merged:
        shutil.copytree(root / log.run_id, root / "1-other")
    (root / log.run_id).rename(root / ".gone-0123")
    assert log("compact", "--no-wait")[0] == 0
    assert not (root / ".gone-0123").exists()


def test_what_a_terminal_cannot_say_is_said_by_its_number_and_json_is_utf_8(log):
    asked = [
        sys.executable,
        "-m",
        "oracle",
        "log",
        "query",
        "--sql",
        "select 'Amélie 漢 😀' as a",
        "--store",
        "store.duckdb",
    ]
    env = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(ROOT)}
    said = [
        subprocess.run([*asked, *form], env=env, capture_output=True, check=True).stdout for form in ([], ["--json"])
    ]
    assert "Amélie \\u6f22 \\U0001f600" in said[0].decode("latin-1")
    assert json.loads(said[1].decode()) == {"a": "Amélie 漢 😀"}


def test_a_log_is_merged_exported_and_deleted(log):
    code, out, _ = log("compact", "--no-wait")
    assert (code, out) == (0, f"{log.run_id}: 2 steps merged, 0 folders removed\n")
    code, out, _ = log("export", log.run_id, log.folder / "run.parquet")
    assert (code, out) == (0, f"25 verdicts in {log.folder / 'run.parquet'}\n")
    code, out, _ = log("export", log.run_id, log.folder / "run.csv")
    assert (code, out) == (0, f"25 verdicts in {log.folder / 'run.csv'}\n")
    assert (log.folder / "run.csv").read_text().startswith('"run_id","step",')
    code, out, _ = log("delete", log.run_id, "--yes")
    assert (code, out) == (0, f"{log.run_id}: deleted\n")
    assert log("list", "--json")[1] == ""
