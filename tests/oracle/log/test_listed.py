"""What was listed for a statement is read for it, or the statement is asked again: nothing is left out in silence."""

import errno
import os
import re
from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from oracle import UserError, build_store
from oracle.log import (
    LogWriter,
    ask,
    ask_sql,
    compact,
    compaction,
    delete_run,
    export_run,
    open_audit,
    open_log,
    queries,
    query,
    state,
    state_of,
)
from oracle.log.folders import listed
from oracle.log.reading import of_one_state
from oracle.log.sound import sign_of
from tests.synthetic_log import write_run
from tests.tiny_log import RUN, STEP_1, step_tables

FIGURES = "select run_id, step, count(*) as n from verdicts group by all order by all"
EACH = (
    FIGURES,
    "from rank_sums order by all",
    "select run_id from runs order by all",
    "from loss_by_rank order by all",
)


@pytest.fixture(scope="module")
def log_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with merged and single steps and a loss, and one with single steps, below a folder of an odd name."""
    root = tmp_path_factory.mktemp("log") / "sweep[1]" / "store.log"
    merged = write_run(root, steps=3, prompts=2)
    compact(root, merged, grace_s=0)
    with LogWriter.resume(root, merged) as writer:
        loss = {"rank": [1], "lists": [4], "ratio": [1.0], "clip_ratio": [0.0], "kl": [None]}
        writer.write_loss(3, pa.table(loss))
    with LogWriter(root, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *step_tables(STEP_1))
    return root


@pytest.mark.parametrize(
    "pattern",
    [
        "2*",
        "2*/run.parquet",
        "2*/loss.parquet",
        "2*/manifest-*.parquet",
        "2*/step-*",
        "2*/step-*/verdicts.parquet",
        "2*/steps-*",
    ],
)
def test_what_duckdb_does_not_find_for_a_moment_is_asked_for_again(log_root, pattern):
    """As where files run short: of a folder that can't be opened, DuckDB's patterns find nothing, and say nothing."""
    with open_log(log_root) as log:
        expected = [query(log, sql) for sql in EACH]
        there = sorted(log_root.glob(pattern))
        assert there
        for path in there:
            away, asked = path.with_name(f".away-{path.name}"), 0

            def read(_: float | None, path=path, away=away):
                nonlocal asked
                asked += 1
                if asked > 1:
                    return [log.sql(sql).to_arrow_table() for sql in EACH]
                path.rename(away)
                try:
                    return [log.sql(sql).to_arrow_table() for sql in EACH]
                finally:
                    away.rename(path)

            assert of_one_state(log, read, 20) == expected
            assert asked == 2


@pytest.mark.parametrize("name", ["20240101", "20240101[2]", "20240101'x", '20240101"x', "20240101\nx"])
def test_a_file_that_goes_from_a_step_is_told_by_the_next_query_whatever_the_name_of_its_run(tmp_path, name):
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *step_tables(STEP_1))
    folder = writer.folder.rename(tmp_path / name)
    with open_log(tmp_path) as log:
        steps = "select distinct step from verdicts order by step"
        assert query(log, steps)["step"].to_pylist() == [1, 2]
        [gone] = folder.glob("step-00000001-*")
        (gone / "verdicts.parquet").unlink()
        assert query(log, steps)["step"].to_pylist() == [2]
        assert gone in state_of(tmp_path).parts


def test_folders_that_are_no_runs_are_not_read_whatever_they_hold(log_root):
    with open_log(log_root) as log:
        expected = [query(log, sql) for sql in EACH]
        for odd in ("2024-copy", b"2024-\xff"):
            folder = Path(os.fsdecode(os.path.join(os.fsencode(log_root), os.fsencode(odd))))
            folder.mkdir()
            (folder / "loss.parquet").write_text("no Parquet")
        (log_root / "20loop").symlink_to("20loop")
        assert [query(log, sql) for sql in EACH] == expected


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ESTALE])
def test_a_folder_that_the_system_cannot_list_is_an_error_and_no_empty_one(log_root, monkeypatch, number):
    real, run = os.listdir, max(log_root.glob("2*/run.parquet")).parent

    def failing(path="."):
        if Path(path) == run:
            raise OSError(number, os.strerror(number), str(path))
        return real(path)

    assert run.name in listed(log_root)
    monkeypatch.setattr(os, "listdir", failing)
    with pytest.raises(OSError, match=os.strerror(number)):
        listed(log_root)


@pytest.mark.parametrize("at", range(9))
@pytest.mark.parametrize("change", ["a merge", "a cut", "a step again", "two more steps"])
def test_a_list_of_a_folder_that_was_made_while_it_changed_loses_nothing(tmp_path, monkeypatch, change, at):
    """A list is of no one moment: what came behind the reader isn't in it, and what came before the reader is."""
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2, 3):
            writer.write_step(step, *step_tables(STEP_1))
    real, lists, changed = os.listdir, count(), []

    def change_it() -> list[str]:
        """The names that come, first to last."""
        changed.append(before := set(real(writer.folder)))
        if change == "a merge":
            compact(tmp_path, writer.run_id, grace_s=0, wait=False)
        else:
            with LogWriter.resume(tmp_path, writer.run_id) as again:
                if change == "a cut":
                    again.truncate_after(2)
                elif change == "a step again":
                    again.write_step(3, *step_tables(STEP_1))
                else:
                    again.write_step(4, *step_tables(STEP_1))
                    again.write_step(5, *step_tables(STEP_1))
        return sorted(set(real(writer.folder)) - before, key=lambda name: (writer.folder / name).stat().st_ctime_ns)

    def halfway(path="."):
        if Path(path) != writer.folder or changed or next(lists) != at:
            return real(path)
        names = real(path)
        [*_, newest] = change_it()
        return [*names, newest]

    steps = "select distinct step from verdicts order by step"
    with open_log(tmp_path) as log:
        assert query(log, steps)["step"].to_pylist() == [1, 2, 3]
        monkeypatch.setattr(os, "listdir", halfway)
        told = query(log, steps)["step"].to_pylist()
        while not changed:
            query(log, steps)
    assert told in ([1, 2, 3], {"a cut": [1, 2], "two more steps": [1, 2, 3, 4, 5]}.get(change))


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_run_that_the_system_cannot_list_is_left_out_and_told_and_is_back_when_it_can(log_root, monkeypatch, number):
    """Nothing changes with the folder itself: a disk that failed, or a ticket of somebody's that ended."""
    real, run = os.listdir, max(log_root.glob("2*/run.parquet")).parent
    is_failing = True

    def failing(path="."):
        if is_failing and Path(path) == run:
            raise OSError(number, os.strerror(number), str(path))
        return real(path)

    runs = "select run_id from runs order by run_id"
    os.utime(run, (0, 0))
    with open_log(log_root) as log:
        everything = query(log, runs)
        monkeypatch.setattr(os, "listdir", failing)
        assert run.name not in query(log, runs)["run_id"].to_pylist()
        assert state_of(log_root).left_out() == [run]
        with pytest.raises(UserError, match="can't be read"):
            export_run(log_root, run.name, log_root.parent / "run.csv")
        assert not (log_root.parent / "run.csv").exists()
        is_failing = False
        assert query(log, runs) == everything
        assert not state_of(log_root).left_out()


def test_a_log_that_the_system_cannot_list_is_an_error_in_a_line(log_root, monkeypatch):
    real = os.listdir

    def failing(path="."):
        if Path(path) == log_root:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return real(path)

    with open_log(log_root) as log:
        monkeypatch.setattr(os, "listdir", failing)
        with pytest.raises(UserError, match=f"^cannot read {re.escape(str(log_root))}: Input/output error$"):
            query(log, FIGURES)


def test_what_was_seen_last_is_known_while_another_thread_opens_the_log(log_root, monkeypatch):
    seen = state._seen
    with open_log(log_root):
        before, within = state.seen_last(log_root), []
        monkeypatch.setattr(state, "_seen", lambda *its: (within.append(state.seen_last(log_root)), seen(*its))[1])
        open_log(log_root).close()
    assert within and all(known == before for known in within)


def test_a_change_of_owner_or_permissions_is_a_change(tmp_path):
    os.utime(tmp_path, (0, 0))
    before = sign_of(tmp_path)
    os.chown(tmp_path, os.getuid(), os.getgid())
    assert sign_of(tmp_path) != before


@pytest.mark.parametrize("way", ["sub/../store.log", "link/../store.log", "./sub/.././store.log"])
def test_a_log_is_itself_by_every_way_to_it(tmp_path, monkeypatch, way):
    """DuckDB's patterns take "link/.." for nothing, wherever the link leads."""
    for folder in ("here", "there/sub"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "here/sub").mkdir()
    (tmp_path / "here/link").symlink_to("../there/sub")
    root = tmp_path / ("there" if "link" in way else "here") / "store.log"
    run = write_run(root, steps=2, prompts=2)
    write_run(tmp_path / "here/store.log", steps=1, prompts=1)
    with open_log(root) as log:
        expected = [query(log, sql) for sql in EACH]
    monkeypatch.chdir(tmp_path / "here")
    compact(way, run, grace_s=0)
    with open_log(way) as log:
        assert [query(log, sql) for sql in EACH] == expected
    store = build_store(Path(way).with_suffix(".duckdb"), [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}])
    with duckdb.connect(root.with_suffix(".duckdb"), read_only=True) as plain, open_audit(store) as audit:
        for connection in (plain, audit):
            assert [connection.sql(sql).to_arrow_table() for sql in EACH] == expected
    assert export_run(way, run, "run.csv") == sum(expected[0].filter(pc.field("run_id") == run)["n"].to_pylist())


def test_what_is_no_number_is_found_wherever_it_stands(tmp_path):
    """Parquet's least and greatest values leave NaN out, and DuckDB would pass over the rows by them."""
    nan = float("nan")
    answers = [{**STEP_1[0], "verdicts": [{**STEP_1[0]["verdicts"][0], "advantage": nan}, *STEP_1[0]["verdicts"][1:]]}]
    root = tmp_path / "store.log"
    with LogWriter(root, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *step_tables([*answers, *STEP_1[1:]]))
        loss = {"rank": [1, 2], "lists": [4, 4], "ratio": [1.0, nan], "clip_ratio": [0.0, 0.0], "kl": [nan, 0.1]}
        writer.write_loss(2, pa.table(loss))

    def found() -> list[int]:
        with open_log(root) as log:
            wheres = ("isnan(advantage)", "advantage = 'nan'", "advantage > 100", "not advantage <= 100")
            counts = [f"from verdicts where {where}" for where in wheres]
            counts += [f"from log_export('{writer.run_id}') where isnan(advantage)"]
            counts += [f"from loss_by_rank where {where}" for where in ("isnan(kl)", "kl > 1", "isnan(ratio)")]
            return [query(log, f"select count(*) as n {sql}")["n"][0].as_py() for sql in counts]

    assert found() == [2, 2, 2, 2, 2, 1, 1, 1]
    compact(root, writer.run_id, grace_s=0)
    assert found() == [2, 2, 2, 2, 2, 1, 1, 1]
    export_run(root, writer.run_id, tmp_path / "run.parquet")
    assert duckdb.sql(f"from '{tmp_path / 'run.parquet'}' where isnan(advantage)").fetchall()


def test_a_run_that_is_deleted_while_it_is_exported_or_asked_about_is_no_run_without_rows(tmp_path, monkeypatch):
    root, target = tmp_path / "store.log", tmp_path / "run.csv"
    runs = [write_run(root, steps=2, prompts=1) for _ in range(3)]
    export_run(root, runs[0], target)
    before = target.read_bytes()
    find = compaction.run_folder

    def then_deleting_it(root, run_id):
        folder = find(root, run_id)
        monkeypatch.undo()
        delete_run(root, run_id)
        return folder

    monkeypatch.setattr(compaction, "run_folder", then_deleting_it)
    with pytest.raises(UserError, match=f"no run {runs[0]!r}"):
        export_run(root, runs[0], target, overwrite=True)
    assert target.read_bytes() == before
    check = queries._check

    def then_deleting(connection, variable, value):
        check(connection, variable, value)
        delete_run(root, value)

    monkeypatch.setattr(queries, "_check", then_deleting)
    with open_log(root) as log:
        with pytest.raises(UserError, match=f"no run {runs[1]!r} in this log"):
            ask_sql(log, "select count(*) from verdicts where run_id = chosen_run()", run=runs[1])
        with pytest.raises(UserError, match=f"no run {runs[2]!r} in this log"):
            ask(log, "worst_films", run=runs[2])
    monkeypatch.undo()
    chosen, another = queries._chosen, write_run(root, steps=1, prompts=1)

    def chosen_and_deleted(connection, macro):
        run = chosen(connection, macro)
        delete_run(root, run)
        return run

    monkeypatch.setattr(queries, "_chosen", chosen_and_deleted)
    with open_log(root) as log, pytest.raises(UserError, match=f"no run {another!r} in this log"):
        ask(log, "worst_films")
