"""Formats have numbers: older logs open, foreign names harm nobody, and a changed column asks for a new number."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from oracle import UserError
from oracle.base.resources import read_sql
from oracle.log import LogWriter, ask, compact, empty, export_run, open_log, query, reading
from oracle.log import state as log_state
from oracle.log.folders import FORMAT
from oracle.log.schema import COMPLETIONS, RUN, VERDICTS
from tests.tiny_log import RUN as SETTINGS
from tests.tiny_log import STEP_1, STEP_2, step_tables, write_tiny_log

STEP, OTHER = step_tables(STEP_1), step_tables(STEP_2)  # 13 rows, 12 rows


def seen(root) -> dict[int, int]:
    with open_log(root) as log:
        counts = "select step, count(*) as n from verdicts group by step order by step"
        verdicts = dict(log.sql(counts).fetchall())
        assert verdicts == {row["step"]: row["n"] for row in query(log, counts).to_pylist()}
        assert list(verdicts) == [s for (s,) in log.sql("select distinct step from rank_sums order by 1").fetchall()]
        assert list(verdicts) == [s for (s,) in log.sql("select distinct step from rollouts order by 1").fetchall()]
        return verdicts


def written_by_format_1(root, dropped=("r_end",)):
    """A run as earlier versions wrote it: steps 1 and 2 merged (and still there alone), 3 alone; without a column."""
    with LogWriter(root, SETTINGS) as writer:
        for step in (1, 2):
            writer.write_step(step, *STEP)
    compact(root, writer.run_id, grace_s=60.0, wait=False)
    with LogWriter.resume(root, writer.run_id) as writer:
        writer.write_step(3, *OTHER)
    folder = writer.folder
    for path in list(folder.iterdir()):
        if path.name.startswith("steps-"):
            path.rename(folder / f"{path.name[:23]}-1795352909-9999999999")
        elif path.name.startswith("step-"):
            path.rename(folder / path.name[:13])
        elif path.name.startswith("manifest-"):
            path.unlink()
    ended = folder / "steps-00000001-00000009-1795352000-1795352900"  # merged once, then taken back
    shutil.copytree(folder / "steps-00000001-00000002-1795352909-9999999999", ended)
    for file in folder.rglob("verdicts.parquet"):
        pq.write_table(pq.read_table(file).drop_columns(list(dropped)), file)
    for name in (empty.SINGLE_SCHEMAS[0], empty.MERGED_SCHEMAS[0]):
        shutil.rmtree(root / "_schema" / name)
    (root / "_schema" / "manifest-00000000.parquet").unlink()
    return writer


def test_a_log_of_the_format_before_opens_and_what_it_lacks_is_null_and_said_once(tmp_path, caplog):
    writer = written_by_format_1(tmp_path)
    log_state._said.clear()
    assert seen(tmp_path) == {1: 13, 2: 13, 3: 12}
    assert seen(tmp_path) == {1: 13, 2: 13, 3: 12}
    with open_log(tmp_path) as log:
        assert log.sql("select count(r_rel), count(r_end) from verdicts").fetchall() == [(38, 0)]
    assert [r.message for r in caplog.records] == [
        f"1 runs have steps of a format before 2; columns that these lack are null: {writer.run_id}"
    ]


@pytest.mark.parametrize("is_merged", [False, True])
def test_a_run_of_the_format_before_that_lost_its_manifest_is_left_out_and_loses_no_step(tmp_path, is_merged):
    writer = written_by_format_1(tmp_path)
    with LogWriter.resume(tmp_path, writer.run_id) as resumed:
        for step in (4, 5):
            resumed.write_step(step, *OTHER)
    if is_merged:
        compact(tmp_path, writer.run_id, grace_s=0)
    [newest] = resumed.folder.glob("manifest-*")
    newest.rename(away := tmp_path / "_away")
    assert seen(tmp_path) == {}
    with pytest.raises(UserError, match="has steps and no manifest: bring it back"):
        compact(tmp_path, writer.run_id, grace_s=0)
    away.rename(newest)
    assert [*seen(tmp_path)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_damaged_folder_of_the_format_before_that_counts_no_more_stops_no_query(tmp_path, is_resumed):
    writer = written_by_format_1(tmp_path)
    if is_resumed:
        LogWriter.resume(tmp_path, writer.run_id).close()
    for file in (writer.folder / "step-00000001").iterdir():
        file.write_bytes(b"no Parquet")
    assert seen(tmp_path) == {1: 13, 2: 13, 3: 12}


def test_a_run_of_the_format_before_is_compared_by_the_statuses_that_follow_from_its_verdicts(tmp_path):
    older = written_by_format_1(tmp_path, dropped=("status", "unrated_traits"))
    with LogWriter(tmp_path, SETTINGS) as newer:
        for step, tables in ((1, STEP), (2, STEP), (3, OTHER)):
            newer.write_step(step, *tables)
    with open_log(tmp_path) as log:
        metrics = query(log, "from compare_runs($1, $2)", [older.run_id, newer.run_id]).to_pylist()
        assert {m["difference"] for m in metrics if m["prompts"]} == {0}
        assert {"svr_low", "svr_known", "unresolved_rate"} <= {m["metric"] for m in metrics if m["value_a"]}
        assert not ask(log, "changed_verdicts", run=newer.run_id, other_run=older.run_id).num_rows
        pairs = "from verdicts a join verdicts b using (step, completion, rank) where a.run_id < b.run_id"
        same = query(
            log, f"select count(*) as n, count(*) filter (judgement(a) is distinct from judgement(b)) as k {pairs}"
        )
        assert same.to_pylist() == [{"n": 38, "k": 0}]


@pytest.mark.parametrize("lost", ["_schema/loss.parquet", "_schema"])
def test_an_older_log_that_cannot_be_written_says_what_it_lacks(tmp_path, monkeypatch, lost):
    write_tiny_log(tmp_path)
    lost = tmp_path / lost
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()

    def read_only(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(empty, "_write_schema", read_only)
    with pytest.raises(
        UserError,
        match=rf"^the run log {tmp_path} lacks files in .*_schema, .* older .*: Read-only file system; open it",
    ):
        open_log(tmp_path)
    with pytest.raises(UserError, match=rf"^cannot make a run log at {tmp_path}/new: Read-only file system"):
        LogWriter(tmp_path / "new", SETTINGS)


def test_a_run_of_the_format_before_goes_on_in_this_one(tmp_path):
    writer = written_by_format_1(tmp_path)
    with LogWriter.resume(tmp_path, writer.run_id) as writer:
        assert writer.steps() == [1, 2, 3]
        writer.write_step(4, *STEP)
        assert seen(tmp_path) == {1: 13, 2: 13, 3: 12, 4: 13}
        writer.truncate_after(1)
        writer.write_step(2, *OTHER)
    assert seen(tmp_path) == {1: 13, 2: 12}


def test_a_merged_folder_of_the_first_format_that_is_damaged_spoils_none_beside_it(tmp_path):
    writer = written_by_format_1(tmp_path)
    [merged] = writer.folder.glob("steps-00000001-00000002-*-9999999999")
    second = Path(shutil.copytree(merged, merged.with_name("steps-00000004-00000005-1795352910-9999999999")))
    for file in second.iterdir():
        table = pq.read_table(file)
        at = table.column_names.index("step")
        later = pc.add(table["step"], 3).cast(table.schema.field("step").type)
        pq.write_table(table.set_column(at, table.schema.field("step"), later), file)
    with LogWriter.resume(tmp_path, writer.run_id) as writer:
        writer.write_step(6, *STEP)
    steps = "select distinct step from verdicts order by step"
    with open_log(tmp_path) as log:
        assert query(log, steps)["step"].to_pylist() == [1, 2, 3, 4, 5, 6]
        (second / "verdicts.parquet").write_bytes((second / "verdicts.parquet").read_bytes()[:200])
        assert query(log, steps)["step"].to_pylist() == [1, 2, 3, 6]
    with open_log(tmp_path) as log:
        assert query(log, steps)["step"].to_pylist() == [1, 2, 3, 6]


@pytest.mark.parametrize("name", ["completions", "verdicts", "rank_sums", "trait_sums"])
def test_a_file_that_goes_from_a_merged_folder_of_the_first_format_is_told_and_all_tables_agree(tmp_path, name):
    writer = written_by_format_1(tmp_path)
    with LogWriter.resume(tmp_path, writer.run_id) as writer:
        writer.write_step(4, *STEP)
    other = write_tiny_log(tmp_path)
    expected = [{"run_id": writer.run_id, "step": step} for step in (3, 4)]
    expected += [{"run_id": other, "step": step} for step in (1, 2)]

    def check(log) -> None:
        for table in ("verdicts", "rollouts", "rank_sums", "step_curves"):
            steps = query(log, f"select distinct run_id, step from {table} order by all").to_pylist()
            assert steps == sorted(expected, key=lambda row: (row["run_id"], row["step"])), table

    with open_log(tmp_path) as log:
        assert query(log, "select distinct run_id, step from verdicts").num_rows == 6
        [folder] = writer.folder.glob("steps-00000001-00000002-*-9999999999")
        (folder / f"{name}.parquet").unlink()
        check(log)
        assert folder in log_state.state_of(tmp_path).parts
    with open_log(tmp_path) as log:
        check(log)


def test_a_log_of_a_later_format_is_refused_in_one_line(tmp_path):
    write_tiny_log(tmp_path)
    (tmp_path / "_schema" / "step-00000000-e00000000-f7").mkdir()
    with pytest.raises(UserError, match=f"has format 7, and this program knows 1 to {FORMAT}: update it"):
        open_log(tmp_path)


def test_steps_of_a_later_format_are_told_and_not_passed_over(tmp_path):
    """As in a run that was copied from the log of a later program."""
    run = tmp_path / "log" / write_tiny_log(tmp_path / "log")
    (run / "step-00000002-e00000000-f2").rename(run / "step-00000002-e00000000-f3")
    told = "step-00000002-e00000000-f3 is of a later format, and this program knows 1 to 2: update it"
    for door in (LogWriter.resume, compact):
        with pytest.raises(UserError, match=told):
            door(tmp_path / "log", run.name)
    with open_log(tmp_path / "log") as connection:
        assert query(connection, "from runs").num_rows == 0
    assert log_state.state_of(tmp_path / "log").left_out() == [run / "step-00000002-e00000000-f3"]


def test_foreign_names_harm_no_query(tmp_path):
    run = write_tiny_log(tmp_path)
    folder = tmp_path / run
    whole = next(folder.glob("step-00000001-*"))
    for name in (
        "step-00000001.bak",
        f"{whole.name}.bak",
        "steps-old",
        "step-00000001-00000002",
        "copy of step-00000001",
    ):
        shutil.copytree(whole, folder / name)
        (folder / name / "verdicts.parquet").write_bytes(b"no parquet")
    (folder / "step-00000009").write_text("a file")
    (tmp_path / "2024 notes").mkdir()
    assert seen(tmp_path) == {1: 13, 2: 12}
    with LogWriter.resume(tmp_path, run) as writer:
        assert writer.steps() == [1, 2]
    assert (folder / "step-00000001.bak").is_dir()


def test_a_step_that_cannot_be_read_is_counted_and_said(tmp_path, caplog):
    run = write_tiny_log(tmp_path / "log")
    broken = next((tmp_path / "log" / run).glob("step-00000002-*"))
    (broken / "verdicts.parquet").unlink()
    log_state._said.clear()
    assert export_run(tmp_path / "log", run, tmp_path / "run.parquet") == 13
    (record,) = caplog.records
    assert (
        record.message == "1 part of the log can't be read, and in no figure and no export "
        f"(bring back, rename, or move away; a manifest with its whole run): {broken}"
    )


def test_clocks_change_nothing(tmp_path, monkeypatch):
    """Merged an hour ahead, dropped an hour back, read at any time: what counts is the same."""
    real = time.time
    monkeypatch.setattr("time.time", lambda: real() + 3600)
    with LogWriter(tmp_path, SETTINGS) as writer:
        for step in range(1, 6):
            writer.write_step(step, *STEP)
    compact(tmp_path, writer.run_id, grace_s=60.0, wait=False)
    assert seen(tmp_path) == dict.fromkeys(range(1, 6), 13)
    monkeypatch.setattr("time.time", lambda: real() - 86_400)
    with LogWriter.resume(tmp_path, writer.run_id) as writer:
        writer.truncate_after(2)
        assert seen(tmp_path) == {1: 13, 2: 13}
        writer.write_step(3, *OTHER)
    for path in writer.folder.rglob("*"):
        os.utime(path, (0, 0))
    assert seen(tmp_path) == {1: 13, 2: 13, 3: 12}
    text = "".join(read for read in map(read_sql, ("log/tables", "log/sums", "views/sums")))
    assert "now()" not in text and "current_" not in text


def test_a_reader_that_listed_what_is_removed_meanwhile_fails_and_asks_again(tmp_path, monkeypatch):
    """Nothing is left out in silence: the old manifest goes before the folders that it lists."""
    with LogWriter(tmp_path, SETTINGS) as writer:
        for step in (1, 2, 3):
            writer.write_step(step, *STEP)
    asked = []

    def once_removed(connection, *rest):
        asked.append(1)
        if len(asked) == 1:
            compact(tmp_path, writer.run_id, grace_s=0.0)
            raise duckdb.IOException("no such file")
        return real(connection, *rest)

    real = reading._timed
    monkeypatch.setattr(reading, "_timed", once_removed)
    with open_log(tmp_path) as log:
        assert query(log, "select count(*) as n from verdicts")["n"].to_pylist() == [39]
    assert len(asked) == 2


def test_a_changed_column_raises_the_format(tmp_path):
    """Who changes what is logged raises FORMAT (see its docstring) and writes the new pair down here."""
    empty.ensure_schema(tmp_path)
    sums = [
        pq.read_schema(tmp_path / "_schema" / empty.MERGED_SCHEMAS[0] / f"{n}_sums.parquet") for n in ("rank", "trait")
    ]
    columns = json.dumps([[[f.name, str(f.type)] for f in schema] for schema in (RUN, COMPLETIONS, VERDICTS, *sums)])
    assert (FORMAT, sha256(columns.encode()).hexdigest()[:12]) == (2, "2a6c6f0f47bb")


NEXT = """
import sys
from oracle.log import LogWriter, ask, compact, open_log, query
root, run = sys.argv[1:]

def rows():
    with open_log(root) as log:
        again = query(log, "select count(*) as n from rederivation where differs")["n"].to_pylist()
        found = query(log, "select step, count(*) as n, count(r_unknown) as known from verdicts group by 1 order by 1")
        return found.to_pylist(), again

print(rows())
with LogWriter.resume(root, run) as writer:
    with open_log(root) as log:
        where = " where step = 2 order by completion"
        step = [query(log, f"from {table}{where}").drop_columns(["run_id", "step"]) for table in ("rollouts", "verdicts")]
    writer.write_step(3, *step)
print(rows()[0])
compact(root, run, grace_s=0.0, wait=False)
print(rows()[0])
"""


def test_the_next_version_with_one_more_reward_reads_this_log_and_goes_on_with_it(tmp_path):
    """What docs/extending.md asks of whoever adds a reward: raise FORMAT. No other file knows the number."""
    with LogWriter(tmp_path / "log", SETTINGS) as writer:
        for step in (1, 2):
            writer.write_step(step, *STEP)
    for room in ("oracle", "sql"):  # without the rights of the files, which may not be ours to write
        shutil.copytree(
            Path(__file__).parents[3] / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"),
            copy_function=shutil.copyfile,
        )  # fmt: skip
    unknown = (
        'Reward("unknown", "unknown", "unknown", "", (Setting("lambda_unknown", 0.0, float, ""),)),\n)  # fmt: skip'
    )
    for file, old, new in (
        ("oracle/log/folders.py", f"FORMAT = {FORMAT}\n", f"FORMAT = {FORMAT + 1}\n"),
        ("oracle/rewards.py", ")  # fmt: skip", unknown),
    ):
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (tmp_path / file).write_text(text.replace(old, new), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", NEXT, "log", writer.run_id],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    step = {"n": 13, "known": 0}
    two = [{"step": 1, **step}, {"step": 2, **step}]
    three = [*two, {"step": 3, **step}]
    assert done.stdout.splitlines() == [f"({two}, [0])", str(three), str(three)], done.stderr
    assert f"steps of a format before {FORMAT + 1}; columns that these lack are null" in done.stderr
