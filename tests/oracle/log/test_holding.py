"""Who may change a run: one process, until it lets go; its threads take turns."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from oracle import UserError, build_store
from oracle.log import LogWriter, open_audit, open_log
from oracle.log import writer as writer_module
from oracle.log.schema import LOSS
from tests.tiny_log import RUN, STEP_1, STEP_2, step_tables

STEP = step_tables(STEP_1)


def verdicts(root: Path) -> dict[int, int]:
    with open_log(root) as log:
        return dict(log.sql("select step, count(*) from verdicts group by step order by step").fetchall())


def test_a_run_that_was_let_go_is_changed_by_whoever_goes_on_with_it_alone(tmp_path):
    with LogWriter(tmp_path, RUN) as first:
        first.write_step(1, *STEP)
    changes = (
        lambda: first.write_step(2, *STEP),
        lambda: first.write_loss(1, LOSS.empty_table()),
        lambda: first.truncate_after(0),
        lambda: first.discard(),
    )
    with LogWriter.resume(tmp_path, first.run_id) as second:
        second.write_step(2, *step_tables(STEP_2))
        for change in changes:
            with pytest.raises(UserError, match=f"run {first.run_id} is closed: LogWriter.resume goes on with it"):
                change()
    assert verdicts(tmp_path) == {1: 13, 2: 12}


def test_a_run_that_was_discarded_is_written_no_more(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        writer.discard()
        with pytest.raises(UserError, match=f"run {writer.run_id} is closed"):
            writer.write_step(1, *STEP)
    assert not writer.folder.exists()


def test_a_process_that_is_forked_from_the_writer_takes_nothing_from_it(tmp_path):
    """It leaves the block by an error before the first step: in the writer's own process that would remove the run."""
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from oracle.log import LogWriter
from tests.tiny_log import RUN, STEP_1, step_tables
step = step_tables(STEP_1)
with LogWriter({str(tmp_path)!r}, RUN) as writer:
    child = os.fork()
    if not child:
        try:
            writer.write_step(7, *step)
        except ValueError as refused:
            print(refused, flush=True)
        sys.exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    writer.write_step(1, *step)
    print(os.getpid(), writer.run_id)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    refused, told = done.stdout.splitlines()
    process, run_id = told.split()
    assert refused == f"run {run_id} is being written by process {process}: it alone can change it"
    assert verdicts(tmp_path) == {1: 13}


def test_threads_of_one_writer_take_turns(tmp_path, monkeypatch):
    """A merge of one thread took the files that another was just writing."""
    monkeypatch.setattr(writer_module, "MERGE_EVERY", 5)
    failed = []

    def write(writer: LogWriter, steps: range) -> None:
        try:
            for step in steps:
                writer.write_step(step, *STEP)
        except BaseException as error:
            failed.append(error)

    with LogWriter(tmp_path, RUN) as writer:
        threads = [threading.Thread(target=write, args=(writer, range(1 + n, 33, 4))) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == [] and verdicts(tmp_path) == {step: 13 for step in range(1, 33)}


def test_what_cannot_be_read_of_the_loss_is_refused_before_steps_are_dropped(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *STEP)
        (writer.folder / "loss.parquet").write_bytes(b"no Parquet")
        with pytest.raises(UserError, match=r"loss.parquet can't be read"):
            writer.truncate_after(1)
        assert writer.steps() == [1, 2]


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs Unix")
def test_a_log_that_may_not_be_looked_into_is_told_in_words(tmp_path):
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    with LogWriter(tmp_path / "log", RUN) as writer:
        writer.write_step(1, *STEP)
    (tmp_path / "log").chmod(0)
    if (root := os.geteuid()) == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(UserError, match=f"cannot look for run {writer.run_id} in .*log: Permission denied"):
            LogWriter.resume(tmp_path / "log", writer.run_id)
        with pytest.raises(UserError, match=r"cannot (begin a run in|read) the (run )?log .*log: Permission denied"):
            LogWriter(tmp_path / "log", RUN)
    finally:
        os.seteuid(root)
        (tmp_path / "log").chmod(0o755)


@pytest.mark.parametrize("name", ["a\\b", os.fsdecode(b"a\xffb")])
def test_a_log_at_a_path_that_no_view_can_read_is_refused_by_whoever_opens_it(tmp_path, name):
    store = build_store(tmp_path / "s.duckdb", [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}])
    for use in (lambda log: LogWriter(log, RUN), open_log, lambda log: open_audit(store, log)):
        with pytest.raises(UserError, match=r"DuckDB opens no file (with a \\ in its path|whose path is not UTF-8)"):
            use(tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda t: t.append_column("title", t["title"]),
            "verdicts have several columns called title: expected one of each",
        ),
        (lambda t: t.to_pylist(), r"verdicts are a list: expected a pyarrow Table"),
        (
            lambda t: t.set_column(
                t.column_names.index("title"), "title", pa.array([b"\xff"] * len(t)).cast(pa.string(), safe=False)
            ),
            "verdicts can't be logged: .*UTF8",
        ),
    ],
)
def test_tables_that_are_none_are_refused_in_one_line(change, said, tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        with pytest.raises(UserError, match=said) as told:
            writer.write_step(1, STEP[0], change(STEP[1]))
        assert "\n" not in str(told.value) and writer.steps() == []


def test_to_let_go_waits_for_a_step_that_a_thread_is_writing(tmp_path, monkeypatch):
    """Else whoever goes on with the run would take its half-written folder for one that a killed process left."""
    begun, goes_on = threading.Event(), threading.Event()
    write_folder = writer_module.write_folder

    def slowly(*arguments) -> None:
        begun.set()
        assert goes_on.wait(60)
        write_folder(*arguments)

    with LogWriter(tmp_path, RUN) as writer:
        monkeypatch.setattr(writer_module, "write_folder", slowly)
        writing = threading.Thread(target=writer.write_step, args=(1, *STEP))
        writing.start()
        assert begun.wait(60)
        closing = threading.Thread(target=writer.close)
        closing.start()
        with pytest.raises(UserError, match="is being written by another process"):
            LogWriter.resume(tmp_path, writer.run_id)
        goes_on.set()
        writing.join()
        closing.join()
    assert verdicts(tmp_path) == {1: 13}
