"""Faults of the machine: a full disk, a folder that can't be written, pipes, broken files in a log, kills.

Whatever happens, what was stored is as it was, or whole: hashes are compared. Commands run in this process.
"""

import gc
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle import UserError
from oracle.log import LogWriter, compact, state
from tests.robustness.bad_inputs import TRAIN
from tests.robustness.driving import PATIENCE_S, run, state_of, stopped_after
from tests.robustness.making import cut, pipe
from tests.tiny_log import RUN, STEP_1, step_tables

CONVERSATIONS = "".join(
    json.dumps({"dialog": f"User: Hi, what is like Saw ({n})?", "groundtruth": [["Saw", 2004]], "id": n}) + "\n"
    for n in range(20)
)
MANY = "--sql 'select range as x from range(300000)'"


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A disk of 24 MB."""
    folder = tmp_path_factory.mktemp("disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder], capture_output=True)
    if done.returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    os.chdir("/")
    subprocess.run(["umount", "-l", folder], check=True)


def filled(disk: Path, small_place: Path, free_kb: int) -> Path:
    """The small place, alone on the disk with so much room."""
    gc.collect()  # a model that is left in a cycle maps its weights, and a disk with a removed file in use can't become read-only
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    place = disk / "place"
    shutil.copytree(small_place, place, symlinks=True)
    (place / "o.csv").write_text("earlier\n")
    (place / "o.parquet").write_text("earlier\n")
    (place / "c.jsonl").write_text(CONVERSATIONS)
    (place / "bad.csv").write_text("imdb_id,title,year\n1,Heat,1995\n2,Up,19??\n")
    room = os.statvfs(disk)
    with open(disk / "rest", "wb") as file:
        file.write(b"x" * (room.f_bavail * room.f_frsize - free_kb * 1024))
    return place


def stored(place: Path) -> dict[str, str]:
    """All of a place, but for the index, which is only a copy, and the answers of models, which are kept."""
    return {
        path: what for path, what in state_of(place).items() if not path.startswith(("store.index", "store.answers"))
    }


FULL = [
    ("prepare bad.csv", 4600),
    ("prepare titles.csv c.jsonl --dataset d.parquet", 8),
    ("prepare titles.csv --store new.duckdb", 4700),
    ("oracle store update store.duckdb", 8),
    ("oracle store update store.duckdb", 4450),  # the copy fits, and what is made anew in it doesn't
    ("evaluate --data data.jsonl --answers answers.jsonl", 24),
    ("evaluate --data data.jsonl --model model --max_completion_length 4", 0),
    (TRAIN.format("data.jsonl") + " --max_steps 1 --num_generations 8 --max_completion_length 2", 12),
    (TRAIN.format("data.jsonl") + " --max_steps 1 --num_generations 8 --max_completion_length 2", 44),
    ("oracle log rejudge {run}", 60),  # its first step fits, its second doesn't
    ("oracle log compact {run} --no-wait", 24),
    ("oracle log query runs --out o.csv", 0),
    (f"oracle log query {MANY} --out o.csv", 200),
    ("oracle log export {run} o.csv --overwrite", 0),
    ("oracle check --file titles.csv --out o.csv", 0),
]


def logged_run(place: Path) -> str:
    return next((place / "store.log").glob("2*")).name


def told_in_a_line(done) -> str:
    """What a command that was refused said, without bars of progress."""
    assert (done.status, "Traceback" in done.err) == (2, False), done.err
    (said,) = [line[line.index("error: ") :] for line in done.err.splitlines() if "error: " in line]
    return said


@pytest.mark.parametrize(("line", "free_kb"), FULL, ids=[f"{line} with {kb} kB" for line, kb in FULL])
def test_a_full_disk_is_told_in_one_line_and_changes_nothing(disk, small_place, monkeypatch, capfd, line, free_kb):
    place = filled(disk, small_place, free_kb)
    monkeypatch.chdir(place)
    before = stored(place)
    done = run(line.format(run=logged_run(place)), capfd)
    told = told_in_a_line(done)
    assert "No space left" in told and "build it again" not in told
    assert stored(place) == before


def test_a_store_on_a_disk_that_fills_up_is_as_it_was_or_whole(disk, small_place, monkeypatch, capfd):
    """A store that is closed on a full disk would lose in silence what was not in its file yet."""
    ends = []
    for free_kb in (4900, 9000):
        place = filled(disk, small_place, free_kb)
        monkeypatch.chdir(place)
        before = stored(place)
        done = run("prepare titles.csv", capfd)
        ends.append(done.status)
        if done.status:
            assert stored(place) == before
        with duckdb.connect(str(place / "store.duckdb"), read_only=True) as store:
            assert store.sql("select count(*) from titles where title = 'Heat'").fetchall() == [(1 - done.status // 2,)]
    assert set(ends) == {0, 2}


def test_a_full_disk_of_the_dataset_changes_no_store(disk, small_place, tmp_path, monkeypatch, capfd):
    filled(disk, small_place, 8)
    place = shutil.copytree(small_place, tmp_path / "place")
    (place / "c.jsonl").write_text(CONVERSATIONS)
    monkeypatch.chdir(place)
    before = stored(place)
    done = run(f"prepare titles.csv c.jsonl --dataset {disk / 'd.parquet'}", capfd)
    assert "d.parquet: No space left on device; free 0.0 MB there" in told_in_a_line(done)
    assert stored(place) == before
    assert sorted(path.name for path in disk.iterdir()) == ["place", "rest"]


READ_ONLY = [
    "prepare titles.csv",
    "prepare c.jsonl --dataset d.parquet",
    "prepare titles.csv --report r.html",
    "evaluate --data data.jsonl --answers answers.jsonl",
    "evaluate --data data.jsonl --model model",
    "sft --train_path data.jsonl --model_name model --output_dir new",
    TRAIN.format("data.jsonl") + " --output_dir /tmp/never",
    TRAIN.format("data.jsonl") + " --store {elsewhere}",
    "oracle log compact {run}",
    "oracle log delete {run} --yes",
    "oracle log query runs --out o.csv",
    "oracle check --file titles.csv --out o.csv",
]


def test_a_folder_that_cannot_be_written_is_told_in_one_line(disk, small_place, tmp_path, monkeypatch, capfd):
    place = filled(disk, small_place, 8)
    elsewhere = shutil.copytree(small_place, tmp_path / "elsewhere")
    monkeypatch.chdir(place)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    before = stored(place), stored(elsewhere)
    for line in READ_ONLY:
        done = run(line.format(run=logged_run(place), elsewhere=elsewhere / "store.duckdb"), capfd)
        said = told_in_a_line(done)
        assert any(why in said for why in ("Read-only", "no permission", "no folder that can be written")), said
        assert (stored(place), stored(elsewhere)) == before
    for line in ("oracle log list", "oracle check Saw 2004"):  # reading needs no right to write
        assert run(line, capfd).status == 0


def foreign(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def text_in_all(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(pa.table({name: ["x"] * max(1, len(table)) for name in table.column_names}), path)


def broken_foot(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-40] + b"\xff" * 32 + content[-8:])


def shorter(path: Path) -> None:
    path.write_bytes(cut(path.read_bytes()))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def removed(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def piped(path: Path) -> None:
    removed(path)
    pipe(path)


def traversing(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"folder": "../../x", "steps": [1]}, {"folder": None, "steps": None}]), path)


def linked_to_itself(path: Path) -> None:
    removed(path)
    path.symlink_to(path.name)


STEP, SCHEMA = "{run}/step-00000001-e00000000-f2", "_schema/step-00000000-e00000000-f2"
BROKEN = [
    *((f"{STEP}/verdicts.parquet", fault) for fault in (shorter, removed, piped, foreign)),
    *(("{run}/manifest-00000000.parquet", fault) for fault in (emptied, removed, piped, traversing)),
    ("{run}/run.parquet", piped),
    *(("_schema/run.parquet", fault) for fault in (emptied, piped, broken_foot)),
    *((f"{SCHEMA}/verdicts.parquet", fault) for fault in (removed, broken_foot, text_in_all)),
    (STEP, linked_to_itself),
]


@pytest.mark.parametrize(("path", "fault"), BROKEN, ids=[f"{p.split('/')[-1]} {f.__name__}" for p, f in BROKEN])
def test_what_is_broken_in_a_log_is_told_and_left_as_it_is(
    small_place, tmp_path, monkeypatch, capfd, caplog, path, fault
):
    """A query tells what it can't read, or fails for it; a merge refuses. Neither hangs, nor writes anything."""
    shutil.copytree(small_place / "store.log", tmp_path / "store.log")
    monkeypatch.chdir(tmp_path)
    run_id = logged_run(tmp_path)
    fault(tmp_path / "store.log" / path.format(run=run_id))
    before = state_of(tmp_path)
    state._said.clear()
    query = run("oracle log query --sql 'select count(*), count(r_total) from verdicts'", capfd)
    assert query.status or any("can't be read" in r.message for r in caplog.records), query
    assert query.status in (0, 2) and "Traceback" not in query.err
    with pytest.raises(UserError), stopped_after(PATIENCE_S):
        compact(tmp_path / "store.log", run_id, wait=False)
    assert state_of(tmp_path) == before


def test_a_run_that_fails_before_its_first_step_leaves_none(tmp_path):
    with pytest.raises(ValueError), LogWriter(tmp_path, RUN) as writer:
        raise ValueError("the disk is full, say")
    assert not writer.folder.exists()
    with pytest.raises(ValueError), LogWriter(tmp_path, RUN) as writer:
        writer.write_step(1, *step_tables(STEP_1))
        raise ValueError("later")
    assert writer.steps() == [1]


PIPES = [
    ("store.duckdb.aliases.jsonl", "oracle check Saw 2004", "store.duckdb.aliases.jsonl is not a regular file"),
    ("store.duckdb.wal", "oracle check Saw 2004", "store.duckdb.wal is not a regular file"),
    ("k.parquet", "oracle check --file k.parquet", "k.parquet is not a regular file"),
    ("c.csv", "evaluate --data data.jsonl --answers answers.jsonl --catalog_path c.csv", "c.csv is not a regular file"),
    (
        "v.jsonl",
        TRAIN.format("data.jsonl") + " --val_path v.jsonl --eval_strategy steps",
        "v.jsonl: is no regular file",
    ),
    ("m", "evaluate --data data.jsonl --model ./m", "./m: can't be loaded as a model"),
]


@pytest.mark.parametrize(("name", "line", "told"), PIPES, ids=[name for name, _, _ in PIPES])
def test_a_pipe_as_an_input_is_refused_and_not_waited_for(place, capfd, name, line, told):
    pipe(place / name)
    try:
        assert told in told_in_a_line(run(line, capfd))
    finally:
        (place / name).unlink()


PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["pipeline.prepare", "oracle.sources", "pipeline.samples.dialogs"])


def prepare(place: Path) -> None:
    os.chdir(place)
    from pipeline.prepare import main

    main(["bad.csv"])


def test_a_killed_prepare_leaves_the_store_as_it_was_or_whole(small_place, tmp_path):
    """Killed at random, and just before and behind the move that puts the new store in place."""
    place = shutil.copytree(small_place, tmp_path / "place")
    (place / "bad.csv").write_text("imdb_id,title,year\n1,Heat,1995\n2,Up,19??\n")
    before, moments = state_of(place), random.Random(3)
    for _ in range(2):
        process = PROCESSES.Process(target=prepare, args=[place])
        process.start()
        time.sleep(0.1 + 0.5 * moments.random())
        process.kill()
        process.join()
        now = {path: what for path, what in state_of(place).items() if path in before}
        changed = {path for path in before if now[path] != before[path]}
        assert changed <= {"store.duckdb"}
        with duckdb.connect(str(place / "store.duckdb"), read_only=True) as store:
            heat = store.sql("select count(*) from titles where title = 'Heat'").fetchall()[0][0]
        assert heat == len(changed)
        assert not (place / "store.duckdb.wal").exists()
    assert run_whole(place)


def run_whole(place: Path) -> bool:
    """The same command goes on behind the kills, and what these left half-written is gone or hidden."""
    process = PROCESSES.Process(target=prepare, args=[place])
    process.start()
    process.join()
    with duckdb.connect(str(place / "store.duckdb"), read_only=True) as store:
        return store.sql("select count(*) from titles where title = 'Heat'").fetchall() == [(1,)]


def linked_place(small_place: Path, tmp_path: Path) -> Path:
    """A folder with links to a store and its sources, whose files are elsewhere."""
    real = shutil.copytree(small_place, tmp_path / "real")
    place = tmp_path / "place"
    place.mkdir()
    for name in ("store.duckdb", "titles.csv"):
        (place / name).symlink_to(real / name)
    return place


def test_a_linked_store_stays_a_link_and_has_the_log_of_the_store(small_place, tmp_path, monkeypatch, capfd):
    place = linked_place(small_place, tmp_path)
    monkeypatch.chdir(place)
    count = 'oracle log query --sql "select count(*) as n from verdicts" --json'
    before = run(count, capfd).out
    assert before != '{"n":0}\n'
    assert run("prepare titles.csv", capfd).status == 0
    assert (place / "store.duckdb").is_symlink() and not (place / "store.log").exists()
    assert run(count, capfd).out == before
    with duckdb.connect(str(tmp_path / "real" / "store.duckdb"), read_only=True) as store:
        assert store.sql("select count(*) from titles where title = 'Heat'").fetchall() == [(1,)]
        assert f'{{"n":{store.sql("select count(*) from verdicts").fetchall()[0][0]}}}\n' == before


def test_a_link_with_a_log_of_its_own_keeps_it(small_place, tmp_path, monkeypatch, capfd):
    place = linked_place(small_place, tmp_path)
    shutil.copytree(tmp_path / "real" / "store.log", place / "other.log")
    shutil.rmtree(tmp_path / "real" / "store.log")
    (place / "store.log").symlink_to("other.log")  # a log may be a link too
    monkeypatch.chdir(place)
    assert len(run("oracle log list --json", capfd).out.splitlines()) == 1
    assert run('oracle log query --sql "select count(*) as n from verdicts" --json', capfd).out != '{"n":0}\n'


@pytest.mark.parametrize("path", ["{run}", "{run}/step-00000001-e00000000-f2"], ids=["run", "step"])
def test_a_link_that_leads_out_of_the_log_is_left_out_and_told_by_its_path(
    small_place, tmp_path, monkeypatch, capfd, caplog, path
):
    place = shutil.copytree(small_place, tmp_path / "place")
    inside = place / "store.log" / path.format(run=logged_run(place))
    inside.rename(tmp_path / "outside")
    inside.symlink_to(tmp_path / "outside")
    monkeypatch.chdir(place)
    caplog.clear()
    done = run('oracle log query --sql "select count(*) from verdicts" --json', capfd)
    assert (done.status, '"count_star()":0' in done.out) == (0, path == "{run}"), done
    assert [r.message.startswith("1 part of") and inside.name in r.message for r in caplog.records] == [True]
    assert inside.is_symlink()
