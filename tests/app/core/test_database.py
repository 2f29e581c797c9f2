"""Pages of several people are computed at once, and who waits for a place among the queries can stop."""

import threading
from contextlib import suppress

import pytest

from app.core import database, query_pool
from app.core.query_pool import QueryPool
from oracle import UserError

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


def test_who_waits_for_a_place_hears_stop(store, monkeypatch):
    monkeypatch.setattr(query_pool, "PROCESSES", 0)

    def stop(seconds: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        QueryPool(store).ask("select 1", None, 10, 30.0, stop)
    with pytest.raises(UserError, match="other queries are running"):
        QueryPool(store).ask("select 1", None, 10, 0.1, lambda seconds: None)
