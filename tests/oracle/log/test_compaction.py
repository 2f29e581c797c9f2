"""Merging, exporting and deleting runs: nothing is lost, seen twice, or taken from under a reader."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle import UserError
from oracle.log import LogWriter, compact, delete_run, export_run, open_log, query, upkeep
from oracle.log.compaction import merge_steps
from oracle.log.folders import MOST_BYTES, MOST_STEPS, _is_swollen, counted, lock_run
from tests.synthetic_log import SETTINGS, World, make_step, write_run
from tests.tiny_log import RUN, STEP_1, STEP_2, step_tables

STEP, OTHER = step_tables(STEP_1), step_tables(STEP_2)


def seen(log) -> dict[int, int]:
    return dict(log.sql("select step, count(*) from verdicts group by step order by step").fetchall())


def folders(writer) -> list[str]:
    return sorted(f.name for f in writer.folder.iterdir() if f.name.startswith(("step", ".tmp", ".gone", ".old")))


def test_a_reader_sees_each_step_once_at_every_moment_of_a_merge(tmp_path):
    run = write_run(tmp_path, steps=12, prompts=2)
    expected = None
    wrong, done = [], threading.Event()

    def watch():
        with open_log(tmp_path) as log:
            while not done.is_set():
                try:
                    now = seen(log), log.sql("select count(*), count(distinct step) from rollouts").fetchall()
                except duckdb.IOException:  # a folder went between listing and reading: an error, never a wrong figure
                    continue
                wrong.extend([now] if now != expected else [])

    with open_log(tmp_path) as log:
        expected = seen(log), log.sql("select count(*), count(distinct step) from rollouts").fetchall()
    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for thread in watchers:
        thread.start()
    assert compact(tmp_path, run, grace_s=0.5).folders_removed == 12
    done.set()
    for thread in watchers:
        thread.join()
    assert len(expected[0]) == 12
    assert wrong == []


@pytest.mark.parametrize(("mine", "theirs"), [("sweep[1]", "sweep1"), ("lr*", "lr_copy"), ("why?", "why2")])
def test_a_log_below_a_name_like_a_pattern_is_merged_from_its_own_steps(tmp_path, mine, theirs):
    """Beside a copy of the run, which went on with other answers below a name that the pattern fits."""
    root, other = tmp_path / mine / "store.log", tmp_path / theirs / "store.log"
    with LogWriter(root, RUN) as writer, LogWriter(other, RUN) as copy:
        for step in (1, 2, 3):
            writer.write_step(step, *STEP)
            copy.write_step(step, *OTHER)
    copy.folder.rename(other / writer.run_id)
    with open_log(root) as log:
        ask = (
            "from verdicts order by step, completion, rank",
            "from rank_sums order by all",
            "from trait_sums order by all",
        )
        before = [query(log, sql) for sql in ask]
        compact(root, writer.run_id, wait=False)
        assert [query(log, sql) for sql in ask] == before
        with LogWriter.resume(
            root, writer.run_id
        ) as writer:  # the merged folder is cut, and merged again with what follows
            writer.truncate_after(2)
            writer.write_step(3, *STEP)
        compact(root, writer.run_id, wait=False)
        assert [query(log, sql) for sql in ask] == before


def test_a_merge_that_was_killed_is_finished_by_the_next(tmp_path):
    run = write_run(tmp_path, steps=3, prompts=2)
    folder = tmp_path / run
    with open_log(tmp_path) as log:
        before = seen(log)
        assert compact(tmp_path, run, grace_s=0.2, wait=False).folders_removed == 0  # as if killed after the manifest
        (folder / ".tmp-merge-1").mkdir()  # others before it: one half written, one not announced
        (folder / "steps-00000001-00000002-e00000007-f2").mkdir()
        (folder / ".tmp-2").write_text("no folder")
        (folder / ".tmp-3").symlink_to(tmp_path / "_schema")
        (folder / ".manifest.parquet.tmp").mkdir()
        assert seen(log) == before
        time.sleep(0.3)
        assert compact(tmp_path, run, grace_s=0.2).folders_removed == 3
        assert seen(log) == before
    names = [".lock", "manifest-00000001.parquet", "run.parquet", "steps-00000001-00000003-e00000001-f2"]
    assert [f.name for f in sorted(folder.iterdir())] == names


def test_a_merge_whose_manifest_finds_no_space_leaves_nothing_in_the_way_of_the_next(tmp_path, monkeypatch):
    run = write_run(tmp_path, steps=3, prompts=1)
    folder = tmp_path / run
    before = sorted(f.name for f in folder.iterdir())
    move = os.replace

    def full(part, place):
        if place.name.startswith("manifest"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        move(part, place)

    with lock_run(folder):
        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(UserError, match="No space left"):
            merge_steps(folder)
        assert sorted(f.name for f in folder.iterdir()) == before
        monkeypatch.undo()
        assert merge_steps(folder) == 3


def test_what_cannot_be_removed_while_somebody_reads_it_stops_no_writer_and_goes_later(tmp_path, monkeypatch):
    run = write_run(tmp_path, steps=2, prompts=1)
    with monkeypatch.context() as nfs:
        nfs.setattr(shutil, "rmtree", busy)
        assert compact(tmp_path, run, grace_s=0).steps_merged == 2
        with LogWriter.resume(tmp_path, run) as writer:
            assert writer.steps() == [1, 2]
    left = len(list((tmp_path / run).glob(".gone-*")))
    compact(tmp_path, run, grace_s=0)
    assert (left, list((tmp_path / run).glob(".gone-*"))) == (2, [])


def busy(path: str, ignore_errors: bool = False, **_: object) -> None:
    if not ignore_errors:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path))


def test_many_steps_are_merged_into_several_folders_and_no_figure_changes(tmp_path, monkeypatch):
    run = write_run(tmp_path, steps=3, prompts=1)
    (tmp_path / "2-broken").mkdir()
    (tmp_path / "2-broken" / "run.parquet").write_text("no run: a merge opens no other")
    monkeypatch.setattr("oracle.log.compaction.MOST_AT_ONCE", 2)
    with open_log(tmp_path) as log:
        ask = ["from rank_sums order by all", "from trait_sums order by all", "from verdicts order by all"]
        before = [log.sql(sql).fetchall() for sql in ask]
        compact(tmp_path, run, grace_s=0)
        assert [s.steps for s in counted(tmp_path / run).merged] == [(1, 2), (3,)]
        assert [log.sql(sql).fetchall() for sql in ask] == before


@pytest.mark.parametrize("sums", [{"a": [1]}, {"step": ["x"]}, {"step": [None]}])
def test_sums_that_hold_something_else_are_no_sign_that_there_are_no_steps(tmp_path, sums):
    merged = tmp_path / "steps-00000001-00000002-0000000000-9999999999"  # of format 1, which lists them nowhere else
    merged.mkdir()
    pq.write_table(pa.table(sums), merged / "rank_sums.parquet")
    with pytest.raises(OSError, match="can't be read: bring it back"):
        counted(tmp_path)


@pytest.mark.parametrize(
    ("folder", "steps"),
    [
        ("steps-00000001-00000002-e00000001-f2", np.zeros(MOST_STEPS + 1, dtype="int32")),
        ("x" * (MOST_BYTES + 1), [1]),
    ],
    ids=["steps", "a name"],
)
def test_a_small_manifest_that_unpacks_to_more_than_any_run_has_is_refused(tmp_path, folder, steps):
    pq.write_table(
        pa.table({"folder": [folder], "steps": [steps]}),
        manifest := tmp_path / "manifest-00000001.parquet",
        compression="zstd",
    )
    assert manifest.stat().st_size < 100_000
    assert _is_swollen(pq.read_metadata(manifest))  # before any of it is read
    with pytest.raises(OSError, match="no manifest of a run"):
        counted(tmp_path)


def test_a_merged_run_goes_on_and_is_merged_again(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2, 3):
            writer.write_step(step, *STEP)
    compact(tmp_path, writer.run_id, grace_s=0.0)
    with LogWriter.resume(tmp_path, writer.run_id) as writer:
        assert writer.steps() == [1, 2, 3]
        with pytest.raises(UserError, match=r"step 2 is merged with others: call truncate_after\(1\)"):
            writer.write_step(2, *STEP)
        for step in (4, 5):
            writer.write_step(step, *OTHER)
    compact(tmp_path, writer.run_id, grace_s=0.0)
    assert [name[:23] for name in folders(writer)] == ["steps-00000001-00000003", "steps-00000004-00000005"]
    with open_log(tmp_path) as log:
        assert seen(log) == {1: 13, 2: 13, 3: 13, 4: 12, 5: 12}
        assert log.sql("select step, films_per_list from step_curves order by step").fetchall() == [
            (1, 2.25), (2, 2.25), (3, 2.25), (4, 1), (5, 1)
        ]  # fmt: skip


def test_training_goes_on_from_a_checkpoint_amid_merged_steps_at_once(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        for step in range(1, 6):
            writer.write_step(step, *STEP)
    compact(tmp_path, writer.run_id, grace_s=0.0)
    with LogWriter.resume(tmp_path, writer.run_id) as writer, open_log(tmp_path) as log:
        writer.truncate_after(3)
        assert writer.steps() == [1, 2, 3]
        writer.write_step(4, *OTHER)
        assert seen(log) == {1: 13, 2: 13, 3: 13, 4: 12}
        writer.write_step(5, *OTHER)
    assert compact(tmp_path, writer.run_id, grace_s=0.0).steps_merged == 2
    assert [name[:23] for name in folders(writer)] == ["steps-00000001-00000003", "steps-00000004-00000005"]
    with LogWriter.resume(tmp_path, writer.run_id) as writer, open_log(tmp_path) as log:
        writer.truncate_after(4)
        assert (writer.steps(), list(seen(log))) == ([1, 2, 3, 4], [1, 2, 3, 4])
        writer.truncate_after(0)
        assert (writer.steps(), seen(log)) == ([], {})
        for step in (1, 2, 3, 4):
            writer.write_step(step, *(STEP if step < 4 else OTHER))
        assert seen(log) == {1: 13, 2: 13, 3: 13, 4: 12}


def test_a_long_run_merges_its_steps_while_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("oracle.log.writer.MERGE_EVERY", 4)
    monkeypatch.setattr("oracle.log.writer.GRACE_S", 0.1)
    with LogWriter(tmp_path, RUN) as writer, open_log(tmp_path) as log:
        for step in range(1, 20, 2):  # not every step generates
            writer.write_step(step, *STEP)
            assert seen(log) == dict.fromkeys(range(1, step + 1, 2), 13)
        assert [name[:23] for name in folders(writer)[-2:]] == ["steps-00000001-00000007", "steps-00000009-00000015"]
        time.sleep(0.2)  # until nobody reads what was merged
        writer.write_step(21, *STEP)
        assert [name[:13] for name in folders(writer) if name < "steps"] == [f"step-{s:08d}" for s in (17, 19, 21)]
        assert writer.steps() == list(range(1, 22, 2))
        assert seen(log) == dict.fromkeys(writer.steps(), 13)


def test_one_step_is_not_worth_merging(tmp_path):
    run = write_run(tmp_path, steps=1, prompts=1)
    assert compact(tmp_path, run).steps_merged == 0


def test_what_an_ended_process_merged_is_removed_by_a_call_that_has_nothing_to_merge(tmp_path, monkeypatch, capsys):
    root = tmp_path / "store.log"
    with LogWriter(root, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *STEP)
    for again in (1, 2):
        done = compact(root, writer.run_id, grace_s=9, wait=False)
        assert (done.steps_merged, done.folders_removed, done.left) == (2 if again == 1 else 0, 0, 3)
        monkeypatch.setattr(upkeep, "_first_seen", {})  # as another process begins
    done = compact(root, writer.run_id, grace_s=0.1)
    assert (done.steps_merged, done.folders_removed, done.left) == (0, 2, 0)
    assert folders(writer) == ["steps-00000001-00000002-e00000001-f2"]


@pytest.mark.parametrize("now", ["gone", "cut", "damaged within", "away"])
def test_steps_are_not_removed_while_the_folder_into_which_they_were_merged_cannot_be_read(tmp_path, monkeypatch, now):
    """Without the newest manifest they are the steps again."""
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *STEP)
    compact(tmp_path, writer.run_id, wait=False)
    monkeypatch.setattr(upkeep, "_first_seen", {})  # as another process begins
    [merged] = writer.folder.glob("steps-*")
    file = merged / "verdicts.parquet"
    written = file.read_bytes()
    if now == "away":
        merged.rename(tmp_path / "away")
    elif now == "gone":
        file.unlink()
    else:
        file.write_bytes(written[:200] if now == "cut" else b"PAR1" + bytes(400) + written[404:])
    before = sorted(os.listdir(writer.folder))
    for _ in range(2):
        compact(tmp_path, writer.run_id, grace_s=0)
        assert sorted(os.listdir(writer.folder)) == before
    (writer.folder / "manifest-00000001.parquet").unlink()
    with open_log(tmp_path) as log:
        assert {row["step"] for row in query(log, "from verdicts").to_pylist()} == {1, 2}


def test_a_step_behind_the_checkpoint_that_was_away_counts_no_more_when_it_is_back(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2, 3):
            writer.write_step(step, *STEP)
        moved = writer.folder / "step-00000003-e00000000-f2"
        moved.rename(away := tmp_path / "away")
        writer.truncate_after(2)
        away.rename(moved)
        assert writer.steps() == [1, 2]


def test_steps_whose_manifest_is_gone_are_not_removed(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2, 3):
            writer.write_step(step, *STEP)
    compact(tmp_path, writer.run_id, wait=False)
    with LogWriter.resume(tmp_path, writer.run_id) as again:
        again.write_step(4, *STEP)
        newest = again.folder / "manifest-00000001.parquet"
        newest.rename(away := tmp_path / "away")
    before = sorted(os.listdir(again.folder))
    said = "step-00000004-e00000001-f2 was finished under a manifest that is gone: bring that back"
    with pytest.raises(UserError, match=said):
        compact(tmp_path, writer.run_id, grace_s=0)
    with pytest.raises(UserError, match=said) as kept:  # as a notebook keeps its last error, and with it the writer
        LogWriter.resume(tmp_path, writer.run_id)
    assert sorted(os.listdir(again.folder)) == before
    away.rename(newest)
    assert compact(tmp_path, writer.run_id, grace_s=0).left == 0 and kept.value
    with open_log(tmp_path) as log:
        assert [*seen(log)] == [1, 2, 3, 4]


@pytest.mark.parametrize("is_open", [False, True])
def test_steps_that_were_trained_again_and_whose_manifest_is_gone_are_not_removed(tmp_path, monkeypatch, is_open):
    """They have the numbers of those that were cut, which count again."""
    monkeypatch.setattr("oracle.log.writer.GRACE_S", 9)
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2, 3, 4):
            writer.write_step(step, *STEP)
        writer.truncate_after(2)
        for step in (3, 4):
            writer.write_step(step, *OTHER)
        (writer.folder / "manifest-00000001.parquet").unlink()
        before = {*folders(writer)}
        assert writer.steps() == [1, 2, 3, 4]
        if is_open:
            monkeypatch.setattr("oracle.log.writer.GRACE_S", 0)
            writer.write_step(5, *STEP)
    with pytest.raises(UserError, match="was finished under a manifest that is gone"):
        compact(tmp_path, writer.run_id, grace_s=0)
    assert before <= {*folders(writer)}


@pytest.mark.parametrize("by_format_1", [False, True])
def test_the_command_removes_what_an_ended_process_merged(tmp_path, by_format_1):
    root = tmp_path / "store.log"
    with LogWriter(root, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *STEP)
    if by_format_1:
        (writer.folder / "manifest-00000000.parquet").unlink()
        for folder in writer.folder.glob("step-*"):
            folder.rename(writer.folder / folder.name[:13])
    compact(root, writer.run_id, wait=False)
    command = [sys.executable, "-m", "oracle", "log", "compact", "--store", root.with_suffix(".duckdb")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{writer.run_id}: 0 steps merged, 2 folders removed\n"
    assert folders(writer) == [f"steps-00000001-00000002-e0000000{0 if by_format_1 else 1}-f2"]


def test_a_run_that_is_being_written_is_left_alone(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_step(1, *STEP)
        for change in (compact, delete_run):
            with pytest.raises(UserError, match="is being written by another process"):
                change(tmp_path, writer.run_id)


def test_an_export_is_one_flat_file(tmp_path):
    root = tmp_path / "store.log"
    run, _ = write_run(root, steps=2, prompts=2), write_run(root, steps=1, prompts=1)
    rows = export_run(root, run, tmp_path / "run.parquet")
    table = pq.read_table(tmp_path / "run.parquet")
    with open_log(root) as log:
        assert (
            rows
            == table.num_rows
            == log.sql("select count(*) from verdicts where run_id = ?", params=[run]).fetchall()[0][0]
        )
    assert {"title", "r_total", "prompt", "text", "constraints"} <= set(table.column_names)
    with pytest.raises(UserError, match=r"run.parquet exists: choose another name, or say --overwrite"):
        export_run(root, run, tmp_path / "run.parquet")
    assert export_run(root, run, tmp_path / "run.parquet", overwrite=True) == rows
    with pytest.raises(UserError, match="cannot write"):
        export_run(root, run, tmp_path / "no such folder" / "run.parquet")
    assert [f.name for f in tmp_path.iterdir() if f.is_file()] == ["run.parquet"]


def test_a_deleted_run_is_gone_and_the_others_stay(tmp_path):
    keep, drop = write_run(tmp_path, steps=2, prompts=1), write_run(tmp_path, steps=2, prompts=1)
    delete_run(tmp_path, drop)
    with open_log(tmp_path) as log:
        assert log.sql("select distinct run_id from verdicts").fetchall() == [(keep,)]
        assert log.sql("select run_id from runs").fetchall() == [(keep,)]
    with pytest.raises(UserError, match=f"no run '{drop}'"):
        delete_run(tmp_path, drop)


@contextmanager
def by_another_user(root: Path, foreign: Path) -> Iterator[None]:
    """Go on as a user to whom the log and its runs belong, but not `foreign`, a folder in it."""
    if not hasattr(os, "seteuid") or os.geteuid() != 0:
        pytest.skip("needs to give up rights")
    for folder in root.parents:
        if os.stat(folder).st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    for path in {root, *root.glob("2*"), *root.glob("2*/*")} - {foreign}:
        os.chown(path, 65534, -1)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def left_in(root: Path) -> set[str]:
    """The files that are left of what was removed from the log."""
    return {path.name for gone in root.rglob(".gone-*") for path in gone.rglob("*") if path.is_file()}


@pytest.mark.parametrize("foreign", ["run", "step"])
def test_a_run_of_which_another_user_owns_a_part_is_deleted_and_what_remains_is_told(tmp_path, caplog, foreign):
    root = tmp_path / "log"
    run, keep = write_run(root, steps=3, prompts=1), write_run(root, steps=1, prompts=1)
    part = root / run if foreign == "run" else sorted((root / run).glob("step-*"))[1]
    with by_another_user(root, part):
        with pytest.raises(UserError) as told:
            delete_run(root, run)
        [gone] = root.glob(".gone-*")
        assert str(told.value).startswith(f"run {run} is deleted from the log, but these files remain: {gone} (")
        assert str(told.value).endswith(": Permission denied); remove them as the user who owns them")
        of_run, of_step = (
            {"run.parquet", ".lock", "manifest-00000000.parquet"},
            {"completions.parquet", "verdicts.parquet"},
        )
        assert left_in(root) == (of_run if foreign == "run" else of_step)  # all else is removed
        caplog.clear()
        with pytest.raises(UserError, match=f"no run '{run}' in .*: it has {keep}$"):
            delete_run(root, run)
        compact(root, keep, wait=False)
        [warning] = caplog.messages  # once
        assert warning.startswith(f"these files of the log count no more, and can't be removed now: {gone} (")
    compact(root, keep, wait=False)  # by the one who may
    assert not list(root.glob(".gone-*"))


def test_a_merged_step_that_another_user_owns_stops_no_merge_and_what_remains_is_told(tmp_path, caplog):
    root = tmp_path / "log"
    run = write_run(root, steps=3, prompts=1)
    with by_another_user(root, next((root / run).glob("step-*"))):
        done = compact(root, run, grace_s=0.0)
        assert (done.steps_merged, done.folders_removed) == (3, 2)
        [warning] = caplog.messages
        assert "can't be removed now: " in warning and "Permission denied); remove them as the user" in warning
        assert left_in(root) == {"completions.parquet", "verdicts.parquet"}
        with open_log(root) as log:
            assert list(seen(log)) == [1, 2, 3]


def test_no_file_of_a_run_is_open_when_its_folder_goes_as_nfs_and_fuse_keep_it_else(tmp_path, monkeypatch):
    rmtree = shutil.rmtree

    def like_nfs(folder, *args, **kwargs):
        if any(os.path.realpath(f"/proc/self/fd/{fd}").startswith(str(folder)) for fd in os.listdir("/proc/self/fd")):
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        rmtree(folder, *args, **kwargs)

    run = write_run(tmp_path, steps=1, prompts=1)
    monkeypatch.setattr(shutil, "rmtree", like_nfs)
    delete_run(tmp_path, run)
    with pytest.raises(ZeroDivisionError), LogWriter(tmp_path, RUN):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["_schema"]


@contextmanager
def like_overlayfs(monkeypatch: pytest.MonkeyPatch, of: str) -> Iterator[None]:
    """Have folders whose names begin like this stand in an image's layer: no move takes them to another name."""
    rename = os.rename

    def refused(source, target):
        if Path(source).name.startswith(of) and Path(source).is_dir():
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", refused)
        yield


def test_a_run_that_an_image_brought_is_deleted_where_it_stands_and_readers_see_all_of_it_or_nothing(
    tmp_path, monkeypatch
):
    keep, drop = write_run(tmp_path, steps=2, prompts=1), write_run(tmp_path, steps=4, prompts=1)
    compact(tmp_path, drop, grace_s=60.0, wait=False)  # there are two manifests, and steps that count no more
    ask = "select run_id, count(*) as n, count(distinct step) as steps from verdicts group by run_id order by run_id"
    wrong, started, done, rmtree = [], threading.Event(), threading.Event(), shutil.rmtree

    def watch() -> None:
        with open_log(tmp_path) as log:
            both = query(log, ask).to_pylist()
            alone = [row for row in both if row["run_id"] == keep]
            assert len(both) == 2
            started.set()
            while not done.is_set():
                seen_now = query(log, ask).to_pylist()
                wrong.extend([seen_now] if seen_now not in (both, alone) else [])

    def slowly(folder, *args, **kwargs):
        time.sleep(0.3)  # so that readers meet each state
        rmtree(folder, *args, **kwargs)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started.wait()
    with like_overlayfs(monkeypatch, of="2"):
        monkeypatch.setattr(shutil, "rmtree", slowly)
        delete_run(tmp_path, drop)
    done.set()
    watcher.join()
    assert wrong == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [keep, "_schema"]


def test_a_run_that_is_half_deleted_where_it_stands_is_removed_by_the_next_command_or_named(
    tmp_path, monkeypatch, caplog
):
    keep, drop, back = (write_run(tmp_path, steps=1, prompts=1) for _ in range(3))
    with like_overlayfs(monkeypatch, of="2"), monkeypatch.context() as stuck:
        stuck.setattr("oracle.log.removal.shutil.rmtree", busy)
        for run in (drop, back):
            with pytest.raises(UserError, match=f"run {run} is deleted from the log, but these files remain: .*busy"):
                delete_run(tmp_path, run)
        shutil.copyfile(tmp_path / back / ".deleted.parquet", tmp_path / back / "run.parquet")
        with pytest.raises(UserError, match=f"no run '{drop}'"):
            delete_run(tmp_path, drop)
        assert f"can't be removed now: {tmp_path / drop / 'step-'}" in caplog.text
    compact(tmp_path, keep, wait=False)
    assert not (tmp_path / drop).exists() and list((tmp_path / back).glob("step-*"))


def test_steps_that_an_image_brought_are_removed_when_they_are_merged(tmp_path, monkeypatch):
    run = write_run(tmp_path, steps=3, prompts=1)
    with like_overlayfs(monkeypatch, of="step-"):
        assert compact(tmp_path, run, grace_s=0.0).folders_removed == 3
    assert not list((tmp_path / run).glob("step-*"))
    with open_log(tmp_path) as log:
        assert list(seen(log)) == [1, 2, 3]


def test_what_failed_is_told_also_where_its_run_can_not_be_removed(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(ZeroDivisionError), LogWriter(tmp_path, RUN) as writer:
        monkeypatch.setattr("oracle.log.removal.remove_folder", broken)
        raise ZeroDivisionError
    LogWriter.resume(tmp_path, writer.run_id).close()  # it was let go of


def test_a_merged_folder_is_small(tmp_path):
    run = write_run(tmp_path, steps=10, prompts=8, world=World(2000))
    compact(tmp_path, run, grace_s=0.0)
    with open_log(tmp_path) as log:
        (verdicts,) = log.sql("select count(*) from verdicts").fetchall()[0]
    size = sum(f.stat().st_size for f in (tmp_path / run).rglob("*.parquet"))
    assert size / verdicts < 60  # bytes; on long runs a good deal less
    assert make_step(World(50), SETTINGS, 1, 1, 1, 0)[1].num_rows >= 160
