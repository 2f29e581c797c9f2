"""What stands before the pages refuses foreign names and uploads, and puts its headers on every answer."""

import asyncio
import itertools
import os
from collections.abc import Iterable
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.proto.BackMsg_pb2 import BackMsg

from app.core import database
from app.core.guard import HEADERS, MOST_HEARD, Guard, is_own, is_own_page

NETWORK = {"server.address": "0.0.0.0", "server.corsAllowedOrigins": [], "server.enableCORS": True}
HERE = {
    "server.address": "127.0.0.1",
    "server.corsAllowedOrigins": ["https://audit.example.org:8443", " films.example.org ", ""],
    "server.enableCORS": True,
}


def answered(host: bytes, method: str = "GET", kind: str = "http") -> tuple[int, dict[str, str], bool]:
    """Status and headers of the answer to a request, and whether the app behind the guard was asked."""
    sent, asked = [], []

    async def pages(scope, receive, send) -> None:
        asked.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message) -> None:
        sent.append(message)

    async def receive() -> dict:
        return {"type": "http.request", "body": b""}

    extensions = {"websocket.http.response": {}}
    scope = {"type": kind, "method": method, "path": "/", "headers": [(b"host", host)], "extensions": extensions}
    asyncio.run(Guard(pages)(scope, receive, send))
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, bool(asked)


def heard_of(said: Iterable[dict]) -> list[dict]:
    """What gets through to the app behind the guard of what a browser says, up to where the connection ends."""
    heard, messages = [], iter(said)

    async def pages(scope, receive, send) -> None:
        while not heard or heard[-1]["type"] != "websocket.disconnect":
            heard.append(await receive())

    async def receive() -> dict:
        return next(messages)

    scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"localhost")], "client": ("1.2.3.4", 5)}
    asyncio.run(Guard(pages)(scope, receive, None))
    return heard


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(st, "get_option", HERE.get)


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1", "127.0.0.1:8501", "[::1]:8501", "audit.example.org"])
def test_the_app_answers_to_this_machine_and_to_its_proxy(here, host):
    status, headers, asked = answered(host.encode())
    assert (status, asked) == (200, True)
    assert headers.items() >= {name.lower(): value for name, value in HEADERS.items()}.items()


def test_the_folder_in_which_the_app_was_started_may_be_removed(here, tmp_path, monkeypatch):
    """Streamlit asks for it at each connection; and a store that was named from there is found."""
    monkeypatch.setattr(database, "STARTED_IN", tmp_path)
    (tmp_path / "store.duckdb").touch()
    monkeypatch.chdir(tmp_path)  # which goes back at the end
    (tmp_path / "started").mkdir()
    os.chdir("started")
    (tmp_path / "started").rmdir()
    assert answered(b"localhost")[0] == 200 and os.getcwd() == "/"
    monkeypatch.setattr(st, "session_state", {})
    database.use("store.duckdb")
    assert database.store_path() == tmp_path / "store.duckdb"


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8501",
        "",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "0.0.0.0",
        "[",
        "@",
        "a\x00b",
        "\xff",
    ],
)
def test_a_site_that_gives_its_own_name_this_address_reads_nothing(here, host, kind):
    status, headers, asked = answered(host.encode("latin-1"), kind=kind)
    assert (status, asked) == (403, False)
    assert headers["x-frame-options"] == "DENY"


def test_of_what_streamlit_hears_only_what_pages_say_gets_through():
    operations = BackMsg().backend_operation_request.DESCRIPTOR.oneofs_by_name["payload"].fields

    def said(kind: str) -> dict:
        message = BackMsg()
        within = message.backend_operation_request if kind in [field.name for field in operations] else message
        field = getattr(within, kind)
        setattr(within, kind, True) if isinstance(field, bool) else field.SetInParent()
        return {"type": "websocket.receive", "bytes": message.SerializeToString()}

    kinds = [field.name for field in (*BackMsg.DESCRIPTOR.fields, *operations)]
    others = [{"type": "websocket.receive", **part} for part in ({"bytes": b"\xff"}, {"bytes": b""}, {"text": "a"})]
    too_long = {"type": "websocket.receive", "bytes": bytes(st.get_option("server.maxWidgetStateSize") * 1_000_000 + 1)}
    end = {"type": "websocket.disconnect", "code": 1000}
    messages = [{"type": "websocket.connect"}, *map(said, kinds), *others, too_long, end]
    pages_say = ["rerun_script", "stop_script", "deferred_file", "dataframe_chunk"]
    assert {"clear_cache", "load_git_info", "file_urls_request", "install_skills", *pages_say} < {*kinds}
    heard = heard_of(messages)
    assert heard[0] == {"type": "websocket.connect"} and heard[-2:] == [too_long, end]
    assert sorted(map(str, heard[1:-2])) == sorted(str(said(kind)) for kind in pages_say)


@pytest.mark.parametrize("message", [BackMsg(stop_script=True), BackMsg(clear_cache=True)])
@pytest.mark.parametrize(("seconds", "most"), [(9, MOST_HEARD), (11, 4 * MOST_HEARD)])
def test_a_page_that_says_more_than_a_person_can_is_closed(monkeypatch, caplog, message, seconds, most):
    """Streamlit works off all that it was sent, also when the page is gone, and everybody waits."""
    moments = itertools.count(step=seconds / MOST_HEARD)
    monkeypatch.setattr("app.core.guard.time", SimpleNamespace(monotonic=lambda: next(moments)))
    flood = [{"type": "websocket.receive", "bytes": message.SerializeToString()}] * (4 * MOST_HEARD)
    left = iter([*flood, end := {"type": "websocket.disconnect", "code": 1000}])
    heard = heard_of(left)
    assert len(heard) - 1 == most * message.stop_script
    assert heard[-1] == (end if seconds > 10 else {**end, "code": 1008})
    assert len([*left]) == (0 if seconds > 10 else 3 * MOST_HEARD)
    assert [record.message for record in caplog.records] == [
        "closed a page of ('1.2.3.4', 5): over 500 messages in ten seconds"
    ] * (seconds < 10)


def test_who_listens_to_the_network_answers_to_any_name(monkeypatch):
    monkeypatch.setattr(st, "get_option", NETWORK.get)
    assert is_own("machine.example")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:8501", 200),
        ("https://audit.example.org", 200),
        ("https://films.example.org", 200),
        ("file://", 403),
        ("https://evil.example", 403),
        ("http://localhost:9000", 403),
        ("http://[", 403),
        ("null", 403),
    ],
)
def test_who_may_talk_to_the_app_is_decided_before_streamlit_asks_the_internet(here, origin, status, caplog):
    told, sent = [], []

    async def pages(scope, receive, send) -> None:
        told.extend(name for name, _ in scope["headers"])
        await send({"type": "websocket.http.response.start", "status": 200, "headers": []})

    async def send(message) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost:8501"), *([(b"origin", origin.encode())] if origin else [])]
    scope = {"type": "websocket", "path": "/", "headers": headers, "extensions": {"websocket.http.response": {}}}
    asyncio.run(Guard(pages)(scope, None, send))
    assert sent[0]["status"] == status and b"origin" not in told
    said = [record.message for record in caplog.records]
    assert len(said) == (status == 403) and all(f"refused a page of {origin}," in line for line in said)


def test_who_lets_pages_of_all_sites_talk_to_the_app_gets_that(monkeypatch):
    """As Streamlit's own option says."""
    monkeypatch.setattr(st, "get_option", (HERE | {"server.enableCORS": False}).get)
    assert is_own_page("https://evil.example", "localhost:8501")


def test_an_entry_that_is_no_address_lets_nobody_in(monkeypatch):
    monkeypatch.setattr(st, "get_option", (HERE | {"server.corsAllowedOrigins": ["https://["]}).get)
    assert is_own("localhost") and not is_own("evil.example")
    assert is_own_page("http://localhost:8501", "localhost:8501") and not is_own_page("http://a", "localhost:8501")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
def test_nothing_is_uploaded(here, method):
    assert answered(b"localhost", method)[::2] == (405, False)
