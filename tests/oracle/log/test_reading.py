"""Reading: plain DuckDB, time limits, a locked door, and the store's tables beside the log."""

import os
import subprocess
import sys
import threading
import time

import duckdb
import pyarrow as pa
import pytest

from oracle import UserError, build_store, create_oracle
from oracle.log import LogWriter, open_audit, open_log, query, reading
from oracle.store import open_store
from oracle.titles.aliases import aliases_path
from tests.tiny_log import RUN, STEP_1, step_tables, write_tiny_log

SAW = [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}]


@pytest.fixture
def store(tmp_path):
    """A store of one film, and a log beside it."""
    path = build_store(tmp_path / "store.duckdb", SAW)
    write_tiny_log(path.with_suffix(".log"))
    return path


def test_plain_duckdb_reads_the_log_through_the_stores_views(store):
    program = f"""
import duckdb
with duckdb.connect({str(store)!r}, read_only=True) as c:
    print(c.sql("select svr from step_curves order by step").fetchall())
    print([len(row) > 10 for row in c.sql("from runs").fetchall()])
    print(c.sql("select title from violations join titles using (imdb_id, title)").fetchall())
    print(c.sql("select count(*) from what_if((select max(run_id) from runs), new_lambda := 2)").fetchall())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd="/", env={}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[(0.2,), (0.0,)]", "[True]", "[('Saw',)]", "[(25,)]"]


def test_a_log_that_moved_is_read_by_setting_a_variable(store):
    moved = store.with_name("elsewhere.log")
    store.with_suffix(".log").rename(moved)
    with duckdb.connect(str(store), read_only=True) as connection:
        connection.execute("set variable log_root = ?", [str(moved)])
        assert connection.sql("select count(*) from verdicts").fetchall() == [(25,)]


def test_several_logs_are_read_at_once_by_a_pattern(store):
    with open_log(store.with_suffix(".log")) as log:
        log.execute("set variable log_root = ?", [str(store.parent / "*.log")])
        assert query(log, "select count(*) as n from verdicts")["n"].to_pylist() == [25]


def test_views_see_a_step_as_soon_as_it_is_finished(store):
    with open_audit(store) as audit, LogWriter(store.with_suffix(".log"), RUN) as writer:
        seen = []
        for step in (1, 2, 3):
            writer.write_step(step, *step_tables(STEP_1))
            sql = "select count(distinct step) as n from verdicts where run_id = ?"
            seen += query(audit, sql, [writer.run_id])["n"].to_pylist()
    assert seen == [1, 2, 3]


def test_the_manifests_are_listed_once_so_that_a_run_merged_meanwhile_keeps_its_steps(store):
    with open_log(store.with_suffix(".log")) as connection:
        [(_, plan)] = connection.execute("explain analyze from log_counted").fetchall()
    assert plan.count("READ_PARQUET") == 1


@pytest.mark.parametrize(("timeout_s", "answers"), [(None, 2), (0.01, 1)])
def test_a_query_is_asked_again_as_time_allows_where_a_run_goes_back_to_a_checkpoint_meanwhile(
    store, timeout_s, answers
):
    root, given = store.with_suffix(".log"), []
    (run,) = (path.name for path in root.glob("2*"))

    def read(left_s):
        if given and timeout_s:
            raise reading.Stopped
        if not given:
            with LogWriter.resume(root, run) as writer:
                writer.truncate_after(1)
        given.append(len(given))
        return given[-1]

    with open_log(root) as connection:
        assert reading.of_one_state(connection, read, timeout_s) == answers - 1


def test_a_step_that_comes_while_a_query_runs_is_in_none_of_its_tables_and_in_the_next_query(store):
    tables = ("rollouts", "verdicts", "step_curves", "trait_sums")
    sql = "select " + ", ".join(f"(select count(distinct step) from {table}) as {table}" for table in tables)
    with open_audit(store) as audit, LogWriter(store.with_suffix(".log"), RUN) as writer:
        writer.write_step(1, *step_tables(STEP_1))

        def read(_):
            writer.write_step(2, *step_tables(STEP_1))
            counts = [
                audit.sql(f"select count(distinct step) from {t} where run_id = '{writer.run_id}'") for t in tables
            ]
            return {count.fetchall()[0][0] for count in counts}

        assert reading.of_one_state(audit, read, 9.0) == {1}
        assert set(query(audit, sql).to_pylist()[0].values()) == {2}
        assert audit.sql("select count(distinct step) from verdicts").fetchall() == [(2,)]


def test_a_query_is_asked_again_where_somebody_decides_about_a_title_meanwhile(store):
    """Each part of a statement reads the decisions anew, and could meet others than the part before."""
    given = []

    def read(left_s):
        if not given:
            aliases_path(store).write_text("{}\n")
        given.append(len(given))
        return given[-1]

    with open_audit(store) as audit:
        assert reading.of_one_state(audit, read, 9.0) == 1


def test_no_log_is_told_plainly(tmp_path):
    with pytest.raises(UserError, match=r"no run log at .*nothing.log: train or evaluate"):
        open_log(tmp_path / "nothing.log")
    with pytest.raises(UserError, match="no store at"):
        open_audit(tmp_path / "nothing.duckdb")


@pytest.mark.parametrize("further", [0, 1])
def test_a_thread_that_the_system_does_not_begin_is_told_in_words(store, monkeypatch, further):
    begun = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if started.append(thread) or len(started) > further:
            raise RuntimeError("can't start new thread")
        begun(thread)

    with open_audit(store) as audit:
        started: list[threading.Thread] = []
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(UserError, match=r"no further thread or process may be started .* raise the limit"):
            query(audit, "select 1")
        monkeypatch.undo()
        assert query(audit, "select 1 as n").to_pylist() == [{"n": 1}]


def test_memory_that_arrow_does_not_get_is_told_as_such(store, monkeypatch):
    def refuse(*_):
        raise pa.ArrowMemoryError("malloc of size 64 failed")

    monkeypatch.setattr(reading, "_rows", refuse)
    with open_audit(store) as audit, pytest.raises(UserError, match="there is not enough memory"):
        query(audit, "select 1")


def test_a_slow_query_of_a_log_of_many_folders_is_told_how_to_have_fewer(store, monkeypatch):
    monkeypatch.setattr(reading, "MANY_FOLDERS", 0)
    with (
        open_audit(store) as audit,
        pytest.raises(UserError, match=r"a step; the log has \d+ folders of steps: `log compact`"),
    ):
        query(audit, "select count(*) from range(10000000000) a, range(1000) b", timeout_s=0.2)


@pytest.mark.parametrize("timeout_s", [0.3, 0.001])  # while it runs, and while it is planned still
def test_a_query_that_takes_too_long_is_stopped_and_the_connection_lives_on(store, timeout_s):
    with open_audit(store) as audit:
        begin = time.monotonic()
        with pytest.raises(UserError, match=rf"stopped after {timeout_s} s"):
            query(audit, "select count(*) from range(10000000000) a, range(1000) b", timeout_s=timeout_s)
        assert time.monotonic() - begin < 10
        assert query(audit, "select count(*) as n from verdicts", timeout_s=60)["n"].to_pylist() == [25]


READ_ONLY = [
    "drop view verdicts",
    "create table x as select 1",
    "insert into titles values ('tt1', 'x', 2000)",
    "set threads = 1",
    "set variable log_root = '/'",
    "reset lock_configuration",
    "attach '{log}/x.duckdb'",
    "install httpfs",
    "load httpfs",
    "copy (select 1) to '{log}/x.parquet'",
    "copy (select 1) to '/tmp/x.parquet'",
    "explain analyze copy (select 1) to '{log}/x.parquet'",
    "EXPLAIN /* */ ANALYZE copy (select 1) to '{log}/x.parquet'",
    "explain (analyze) copy (select 1) to '{log}/x.parquet'",
    "--12345select 1 /*\nexplain analyze copy (select 1) to '{log}/x.parquet' --*/",  # a SELECT without its start
    "export database '{log}/x'",
    "select 1; copy (select 1) to '{log}/x.parquet'",
    "pragma enable_profiling",
    "call enable_logging()",
    "checkpoint",
    "use memory",
    "begin",
    "prepare p as select 1",
    "",
    "-- nothing",
]


def test_a_query_is_one_select(store):
    log = store.with_suffix(".log")
    with open_audit(store) as audit:
        for sql in READ_ONLY:
            with pytest.raises(UserError):
                query(audit, sql.format(log=log))
    assert {f.name[0] for f in log.iterdir()} <= set("_2")  # nothing but _schema and the run


LOCKED = [
    "from read_csv('/etc/passwd')",
    "from read_text('/etc/passwd')",
    "from read_blob('/etc/hostname')",
    "from read_json('/etc/passwd')",
    "from read_parquet('{outside}')",
    "from '{outside}'",
    "from '/etc/passwd'",
    "from glob('/etc/*')",
    "from glob('{log}/../*')",
    "from read_text('{log}/../secret.parquet')",
    "from read_text('{log}/link')",
    "from sniff_csv('/etc/passwd')",
    "from parquet_metadata('{outside}')",
    "from read_parquet('https://example.com/x.parquet')",
    "from query('copy (select 1) to ''{log}/x''')",
    "from pandas_frame",
    "select getenv('HOME')",
    "from which_secret('a', 's3')",
]


def test_a_locked_connection_reads_no_other_file(store):
    log = store.with_suffix(".log")
    outside = store.with_name("secret.parquet")
    duckdb.sql("select 'secret' as s").write_parquet(str(outside))
    os.symlink(outside, log / "link")
    pandas_frame = duckdb.sql("select 1").to_arrow_table()  # not to be found by SQL either
    with open_audit(store) as audit:
        for sql in LOCKED:
            with pytest.raises(UserError):
                query(audit, sql.format(log=log, outside=outside))
        assert query(audit, "select count(*) as n from verdicts")["n"].to_pylist() == [25]
        assert query(audit, "select title from titles")["title"].to_pylist() == ["Saw"]
    assert pandas_frame.num_rows == 1


def test_an_audit_neither_waits_for_a_lock_nor_takes_one(store):
    """An analyst holds the store open for writing, before and after; the audit reads a copy."""
    analyst = [
        sys.executable,
        "-c",
        f"import duckdb; c = duckdb.connect({str(store)!r}); print('open', flush=True); input()",
    ]
    with subprocess.Popen(analyst, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        with open_audit(store) as audit:
            assert query(audit, "select title from titles")["title"].to_pylist() == ["Saw"]
            assert query(audit, "select count(*) as n from verdicts")["n"].to_pylist() == [25]
        process.stdin.write("\n")
    with open_audit(store), duckdb.connect(str(store)) as writer:
        writer.execute("insert into titles (imdb_id, title, year) values ('tt1', 'New', 2026)")


def test_what_a_killed_session_wrote_beside_the_store_is_read_by_everybody(store):
    session = "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('update titles set year = 1999'); os._exit(0)"
    subprocess.run([sys.executable, "-c", session, str(store)], check=True)
    assert store.with_name("store.duckdb.wal").exists()
    with open_store(store) as own:
        assert own.sql("select year from titles").fetchall() == [(1999,)]
    for _ in range(2):
        with open_audit(store) as audit:
            assert query(audit, "select year from titles")["year"].to_pylist() == [1999]
    with duckdb.connect(
        str(store)
    ) as writer:  # which another program may have open, with writes that are not in the file
        writer.execute("update titles set year = 2001")
        for use in (open_store, open_audit):
            with use(store) as connection:
                assert connection.execute("select year from titles").fetchall() == [(2001,)]


def test_python_and_sql_judge_alike_whatever_lies_beside_the_store(tmp_path):
    trait = "Anti-gore / squeamish"
    store = build_store(tmp_path / "store.duckdb", SAW, [{"imdb_id": "387564", "trait": trait, "risk": 0.9}])
    session = "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute('update trait_risk set risk = 0.1'); os._exit(0)"

    def verdicts() -> set[str]:
        with open_audit(store) as audit:
            by_sql = query(audit, "select status from check_film('Saw', 2004, $trait)", {"trait": trait})["status"][
                0
            ].as_py()
        is_safe = create_oracle(store=store).check_safety("Saw", 2004, {trait: True}).is_safe
        return {by_sql, "safe" if is_safe else "unsafe"}

    assert verdicts() == {"unsafe"}
    subprocess.run([sys.executable, "-c", session, str(store)], check=True)
    assert verdicts() == {"safe"}
    store.with_name("store.duckdb.wal").unlink()
    assert verdicts() == {"unsafe"}


def test_a_file_that_is_no_store_is_told_plainly(tmp_path):
    path = tmp_path / "store.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(UserError, match="is not a store that can be read"):
        open_audit(path)


def test_a_store_may_lie_in_a_folder_with_any_name(tmp_path):
    path = tmp_path / "it's [a] *strange* folder" / "store.duckdb"  # DuckDB itself stumbles over a "?"
    path.parent.mkdir()
    build_store(path, SAW)
    write_tiny_log(path.with_suffix(".log"))
    with open_audit(path) as audit:
        assert query(audit, "select count(*) as n from verdicts")["n"].to_pylist() == [25]
    with duckdb.connect(str(path), read_only=True) as plain:
        assert plain.sql("select count(*) from verdicts").fetchall() == [(25,)]
