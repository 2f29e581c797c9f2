"""Real processes that are killed, and many that write, read and analyse at once."""

import itertools
import multiprocessing
import random
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb

from oracle import build_store
from oracle.log import LogWriter, compact, open_audit, open_log, query
from tests.tiny_log import RUN, STEP_1, STEP_2, step_tables

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["oracle.log.writer", "oracle.log.compaction", "tests.tiny_log"])


def train(root: Path, run: str, back: bool, told: Connection) -> None:
    """Go on with a run until killed, from its last step or (a checkpoint) from the one before; tell each step."""
    odd, even = step_tables(STEP_1), step_tables(STEP_2)  # 13 rows, 12 rows
    with LogWriter.resume(root, run) as writer:
        done = writer.steps()
        if back and len(done) > 2:
            writer.truncate_after(done[-2])
            done.pop()
            writer.write_step(done[-2], *(odd if done[-2] % 2 else even))  # a step that is there is replaced
        told.send(len(done))
        for step in itertools.count(len(done) + 1):
            writer.write_step(step, *(odd if step % 2 else even))
            told.send(step)


def start(work, *arguments: object) -> tuple[multiprocessing.Process, Connection]:
    """A real process of its own, and what it tells."""
    here, there = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=work, args=(*arguments, there))
    process.start()
    there.close()
    return process, here


def everything(told: Connection) -> list:
    """All that a process told until its end."""
    said = []
    with suppress(EOFError):
        while True:
            said.append(told.recv())
    return said


def test_after_kill_9_at_50_random_moments_each_finished_step_is_there_once(tmp_path):
    """Kills fall into start-up, resuming, truncating, replacing and writing; three trainers at a time, a run each."""
    moments = random.Random(5)
    runs = []
    for _ in range(3):
        with LogWriter(tmp_path, RUN) as writer:
            runs.append(writer.run_id)
    last = dict.fromkeys(runs, 0)
    with open_log(tmp_path) as log:
        for _ in range(17):
            trainers = {run: start(train, tmp_path, run, moments.random() < 0.5) for run in runs}
            for run, (process, told) in trainers.items():
                if moments.random() < 0.7:
                    told.poll(30)  # it is past its start
                time.sleep(moments.random() * 0.04)
                process.kill()
                process.join()
                last[run] = max(everything(told), default=last[run] - 1)  # killed before it told: it may have gone back
                check(log, run, at_least=last[run])
    assert sum(last.values()) > 10


def check(log: duckdb.DuckDBPyConnection, run: str, at_least: int) -> None:
    """Steps that were finished are there, whole, once, and without gaps; the last may have been truncated again."""
    per_step = "select step, count(*) from {} where run_id = ? group by step order by step"
    verdicts = log.sql(per_step.format("verdicts"), params=[run]).fetchall()
    answers = log.sql(per_step.format("rollouts"), params=[run]).fetchall()
    assert verdicts == [(step, 13 if step % 2 else 12) for step in range(1, len(verdicts) + 1)]
    assert answers == [(step, 4) for step in range(1, len(verdicts) + 1)]
    assert len(verdicts) >= at_least


def analyse(store: Path, told: Connection) -> None:
    """An analyst: holds the store open for writing all the time, and reads the log through its views."""
    with duckdb.connect(str(store)) as connection:
        for _ in range(10):
            connection.execute("insert into notes values ('seen')")
            told.send(connection.sql("select count(*) from verdicts").fetchall()[0][0] % 25)


def look(store: Path, told: Connection) -> None:
    """The app."""
    for _ in range(5):
        with open_audit(store) as audit:
            told.send(query(audit, "select count(*) % 25 as n from verdicts")["n"][0].as_py())


def test_trainers_a_reader_and_an_analyst_work_at_the_same_time(tmp_path):
    store, root = tmp_path / "store.duckdb", tmp_path / "store.log"
    build_store(store, [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}])
    with duckdb.connect(str(store)) as connection:
        connection.execute("create table notes (text varchar)")
    runs = []
    for _ in range(2):
        with LogWriter(root, RUN) as writer:
            runs.append(writer.run_id)
    trainers = [start(train, root, run, False) for run in runs]
    for _, told in trainers:
        assert told.poll(30)
    analyst, app = start(analyse, store), start(look, store)
    counts = everything(analyst[1]), everything(app[1])
    still_training = [process.is_alive() for process, _ in trainers]
    for process, _ in trainers:
        process.kill()
    assert [len(seen) for seen in counts] == [10, 5]  # nobody died of a lock
    assert {n for seen in counts for n in seen} <= {0, 13, 13 + 13 - 25}  # whole steps, of 13 and 12 rows
    assert still_training == [True, True]
    assert min(max(everything(told)) for _, told in trainers) > 2


def merge(root: Path, run: str, told: Connection) -> None:
    told.send(0)
    compact(root, run, grace_s=0.3)


def test_a_killed_merge_loses_nothing(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        for step in range(1, 31):
            writer.write_step(step, *step_tables(STEP_1))
    moments = random.Random(1)
    with open_log(tmp_path) as log:
        for _ in range(8):
            process, told = start(merge, tmp_path, writer.run_id)
            assert told.poll(30)
            time.sleep(moments.random())
            process.kill()
            process.join()
            counts = "select count(*), count(distinct (step, completion, rank)) from verdicts"
            assert log.sql(counts).fetchall() == [(30 * 13, 30 * 13)]
