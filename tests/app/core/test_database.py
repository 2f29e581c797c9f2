"""Pages of several people are computed at once, and who waits for a place among the queries can stop."""

import os
import resource
import shutil
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from app.core import database, query_pool, query_worker
from app.core.query_pool import QueryPool
from oracle import UserError
from tests.app.driving import open_page

ENDLESS = "select sum(a.range * b.range) from range(10000000) a, range(10000000) b"


def test_a_page_that_takes_long_keeps_no_other_waiting(store, monkeypatch):
    monkeypatch.setattr(database, "TIMEOUT_S", 4.0)
    audit = database.Audit(str(store))

    def draw() -> None:
        with suppress(UserError):
            audit.query(ENDLESS, None)

    others = [threading.Thread(target=draw) for _ in range(2)]
    for other in others:
        other.start()
    assert audit.query("select count(*) > 0 as found from titles join runs on true", None)["found"].to_pylist() == [
        True
    ]
    assert all(other.is_alive() for other in others)
    for other in others:
        other.join()


def test_every_connection_of_the_pages_is_locked(store, tmp_path):
    (tmp_path / "outside.csv").write_text("a\n1\n")
    audit = database.Audit(str(store))
    for _ in range(database.CONNECTIONS):
        with pytest.raises(UserError, match=r"outside\.csv"):
            audit.query(f"from '{tmp_path}/outside.csv'", None)


@pytest.mark.parametrize(
    ("limit", "sql", "said"),
    [
        ("MEMORY", "select count(*) from (select distinct range from range(3000000))", "more memory than it may have"),
        ("MOST_BYTES", "select repeat('x', 10_000_001) as text", "at most 10 are shown"),
    ],
)
def test_a_page_takes_neither_all_memory_nor_texts_of_any_length(store, monkeypatch, limit, sql, said):
    monkeypatch.setattr(database, limit, {"MEMORY": "30MB", "MOST_BYTES": 10_000_000}[limit])
    with pytest.raises(UserError, match=said):
        database.Audit(str(store)).query(sql, None)


def test_a_store_that_takes_anothers_place_with_its_time_is_noticed(tmp_path, monkeypatch):
    store = tmp_path / "store.duckdb"
    store.write_bytes(b"before")
    monkeypatch.setattr(database.st, "session_state", {"_store": str(store)})
    before, seen = store.stat(), database._state()
    (tmp_path / "new").write_bytes(b"behind")
    os.utime(tmp_path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tmp_path / "new").rename(store)
    assert store.stat().st_mtime_ns == before.st_mtime_ns and database._state() != seen


def test_a_store_that_can_not_be_copied_is_told_as_such(store):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UserError, match=r"cannot copy .*store.duckdb into .*: File too large \(TMPDIR names"):
            database.Audit(str(store))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_log_that_is_taken_away_is_told_as_such(store, tmp_path):
    copy = tmp_path / "store.duckdb"
    shutil.copyfile(store, copy)
    audit = database.Audit(str(copy))
    shutil.rmtree(copy.with_suffix(".log"))
    database.use(copy)
    for ask in (
        lambda: audit.query("select 1", None),
        lambda: database.ask("select 1", None, 1, 1.0, lambda seconds: None),
    ):
        with pytest.raises(UserError, match="is gone, or its folder _schema: bring it back"):
            ask()


def restored(log: Path) -> None:
    shutil.copytree(log, copy := log.with_name("copy"))
    shutil.rmtree(log)
    copy.rename(log)


def made_anew(log: Path) -> None:
    shutil.copytree(log, copy := log.with_name("copy"))
    shutil.rmtree(log)
    shutil.copytree(copy, log)  # its number may be that of the one that is gone


def linked_anew(log: Path) -> None:
    shutil.copytree(log, copy := log.with_name("copy"))
    log.rename(log.with_name("moved"))
    log.symlink_to(copy)


@pytest.mark.parametrize("brought_back", [restored, made_anew, linked_anew])
def test_a_log_that_is_brought_back_is_read_by_the_next_statement_and_page(store, tmp_path, monkeypatch, brought_back):
    """A process that is confined may read only the folder that was the log when it began."""
    copy, log = tmp_path / "store.duckdb", tmp_path / "store.log"
    shutil.copyfile(store, copy)
    shutil.copytree(store.with_suffix(".log"), log)
    monkeypatch.setattr(database.st, "session_state", {"_store": str(copy)})
    pool = QueryPool(copy)

    def asked() -> list[dict]:
        sql = "select count(*) as n from verdicts"
        answer = pool.ask(sql, None, 9, 20.0, lambda seconds: None).rows
        assert answer == database._audit(str(copy), database._state()).query(sql, None)
        return answer.to_pylist()

    before = asked()
    brought_back(log)
    assert asked() == before != [{"n": 0}]
    for run in log.glob("2*"):
        shutil.rmtree(run)
    assert asked() == [{"n": 0}]
    pool.close()


def test_pages_follow_a_log_that_is_put_beside_the_link_to_its_store(store, tmp_path, monkeypatch):
    link, log = tmp_path / "store.duckdb", tmp_path / "store.log"
    link.symlink_to(store)
    monkeypatch.setattr(database.st, "session_state", {"_store": str(link)})

    def runs() -> int:
        return database._audit(str(link), database._state()).query("select * from runs", None).num_rows

    assert runs() > 1
    shutil.copytree(store.with_suffix(".log"), log)
    for run in [*log.glob("2*")][1:]:
        shutil.rmtree(run)
    assert runs() == 1


def test_a_process_that_answers_while_its_pool_is_closed_ends_with_its_answer(store):
    """As where the store is replaced meanwhile. Who had the pool before is answered still, and leaves no process either."""
    before, pool = {child.pid for child in psutil.Process().children()}, QueryPool(store)
    for waiting in (lambda seconds: pool.close(), lambda seconds: None):
        answer = pool.ask("select 41 + 1 as n", None, 9, 20.0, waiting)
        assert answer.rows.to_pylist() == [{"n": 42}]
        assert {child.pid for child in psutil.Process().children()} <= before


def test_who_waits_for_a_place_or_for_a_process_to_start_hears_stop(store, monkeypatch):
    monkeypatch.setattr(query_pool, "PROCESSES", 0)

    def stop(seconds: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        QueryPool(store).ask("select 1", None, 10, 30.0, stop)
    with pytest.raises(InterruptedError):
        query_pool._Process(store, stop)
    with pytest.raises(UserError, match="other queries are running"):
        QueryPool(store).ask("select 1", None, 10, 0.1, lambda seconds: None)


def test_who_came_first_is_served_first(store):
    pool, served, there = QueryPool(store), [], threading.Semaphore(0)

    def wait_and_serve(n: int) -> None:
        seen = threading.Event()
        pool._places.put(
            pool._place(60.0, lambda _: seen.is_set() or (seen.set(), there.release())) or served.append(n)
        )

    held = [pool._place(1.0, lambda _: None) for _ in range(query_pool.PROCESSES)]
    people = [threading.Thread(target=wait_and_serve, args=(n,)) for n in range(5)]
    for one in people:
        one.start()
        assert there.acquire(timeout=60)  # it waits before the next one comes
        time.sleep(query_pool.LOOK_S / 4)  # so that they look at different times
    pool._places.put(held[0])
    for one in people:
        one.join(60)
    assert served == [0, 1, 2, 3, 4]


def test_a_process_that_nobody_is_left_to_kill_ends_by_itself(store):
    process = query_pool._Process(store, lambda seconds: None)
    request = {"sql": ENDLESS, "run": None, "most": 10, "timeout_s": 0.1 - query_worker.GRACE_S}
    with pytest.raises(UserError, match="ended its process"):
        process.ask(request, 60.0, lambda seconds: None)
    assert not process.is_alive()


def test_a_process_that_cannot_be_started_is_told_in_words(store, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    pool = QueryPool(store)
    for _ in range(query_pool.PROCESSES + 1):  # no place is lost
        with pytest.raises(UserError, match=r"no process could be started .* No such file"):
            pool.ask("select 1", None, 10, 5.0, lambda seconds: None)


def test_where_the_app_was_started_may_lie_packages_of_the_same_names(store, tmp_path, monkeypatch):
    for name in ("app", "oracle", "data", "sql"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    answer = QueryPool(store).ask("select 1 as n", None, 10, 30.0, lambda seconds: None)
    assert answer.rows.to_pylist() == [{"n": 1}]


def test_that_nothing_confines_statements_is_told_in_the_log_and_on_the_page(store, monkeypatch, caplog):
    """As where the kernel has no Landlock."""
    code = """
import sys
from app.core import confinement
confinement.confine = lambda *_, **__: False
from app.core.query_worker import main
main(*sys.argv[1:])
"""
    monkeypatch.setattr(query_pool, "_WORKER", ("-c", code))
    database._pool.clear()
    try:
        page = open_page("sql_editor", store)
        assert "this system does not confine them" in page.caption[0].value
        assert "statements run unconfined: this system does not confine them" in caplog.text
    finally:
        database._pool.clear()


def test_a_process_that_ends_at_its_start_is_no_fault_of_the_query(store, monkeypatch):
    monkeypatch.setattr("app.core.query_pool._WORKER", ("-c", "raise SystemExit(3)"))
    with pytest.raises(UserError, match="could not start: the app's standard error says why"):
        QueryPool(store).ask("select 1", None, 10, 30.0, lambda seconds: None)


def test_a_process_that_the_app_can_not_look_at_watches_its_memory_itself(store, monkeypatch):
    """As where there is no /proc. The process is begun by a small one: its peak is at first that of what began it."""
    code = """
import subprocess, sys
if len(sys.argv) == 4:  # the arguments alone
    sys.exit(subprocess.run([*sys.orig_argv, "again"]).returncode)
del sys.argv[4:]
import psutil
from app.core import query_worker
query_worker._is_seen, query_worker.MEMORY_MB = lambda: False, 300
def refuse(*_): raise psutil.NoSuchProcess(1)
psutil.Process = refuse
query_worker.main(*sys.argv[1:])
"""
    monkeypatch.setattr(query_pool, "_WORKER", ("-c", code))
    pool = QueryPool(store)
    with pytest.raises(UserError, match="by too much memory"):
        pool.ask("select count(distinct range) from range(9000000)", None, 10, 30.0, lambda seconds: None)


def test_a_process_that_lacks_threads_or_memory_says_so_itself(store, monkeypatch):
    """Its standard error may be a file, of which it may write nothing."""
    failing = """
import sys
from app.core import query_worker
def refuse(*_, **__): raise MemoryError
query_worker.open_audit = refuse
query_worker.main(*sys.argv[1:])
"""
    monkeypatch.setattr(query_pool, "_WORKER", ("-c", failing))
    with pytest.raises(UserError, match="there is not enough memory"):
        QueryPool(store).ask("select 1", None, 10, 30.0, lambda seconds: None)


def test_a_thread_that_cannot_be_begun_is_told_in_words_and_leaves_no_process(store, monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    before = {child.pid for child in psutil.Process().children()}
    monkeypatch.setattr(query_pool.ThreadPoolExecutor, "submit", refuse)
    with pytest.raises(UserError, match=r"no process could be started .*: can't start new thread; try again"):
        QueryPool(store).ask("select 1", None, 10, 5.0, lambda seconds: None)
    assert {child.pid for child in psutil.Process().children()} <= before
