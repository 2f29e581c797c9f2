"""What stands before the app's pages: it answers to its own names only, takes no uploads, hears what pages say and nothing else,
and forbids foreign scripts and frames.

A page of another site could give its own name this machine's address (DNS rebinding), and would then read the log with the
browser of whoever looks at it: to Streamlit, it comes from the same site. So where the app listens on this machine alone, the
name that it was called by must be one of this machine, or of an origin that `--server.corsAllowedOrigins` names.

A WebSocket says from which page it comes. Of a foreign one Streamlit asks a site on the internet whether its address is that of
this machine, and everybody waits for the answer. So the guard decides that, and Streamlit isn't told.
"""

import logging
import time
from collections import deque
from ipaddress import ip_address
from urllib.parse import urlsplit

import streamlit as st
from google.protobuf.message import DecodeError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from app.core.folder import leave_if_gone
from oracle.base.printable import one_line

# Streamlit's styles are inline, its charts compute their expressions by eval, and draw from data: and blob: addresses.
HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-src 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
READING = {"GET", "HEAD", "OPTIONS"}
SAID = {"rerun_script", "stop_script", "deferred_file", "dataframe_chunk"}
"""What pages say to the app. Streamlit hears more, of anybody who reaches its port: `clear_cache` throws away what all sessions
share, such as the limit of statements; `load_git_info` runs git while everybody waits, and tells the names of new files."""
MOST_HEARD = 500
"""Messages of one page in ten seconds; each has it drawn anew, also when the page is gone. Of a person who holds a key down on a
slider there are 30 in a second, and all of some seconds at once where the network paused."""
_log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware: refuses what no page asks for, and adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        leave_if_gone()

        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        heard: deque[float] = deque(maxlen=MOST_HEARD)  # when

        async def receive_guarded() -> Message:
            while (message := await receive())["type"] == "websocket.receive":
                now = time.monotonic()
                if len(heard) == MOST_HEARD and now - heard[0] < 10:
                    _log.warning("closed a page of %s: over %d messages in ten seconds", scope["client"], MOST_HEARD)
                    return {"type": "websocket.disconnect", "code": 1008}
                heard.append(now)
                if _is_said_by_pages(message.get("bytes") or b""):
                    break
            return message

        if not is_own(host):
            refusal = PlainTextResponse(
                f"This app does not answer to the name {host[:100]!r}: open it by an address of this machine, or start it "
                "with --server.corsAllowedOrigins and the address of its proxy.",
                403,
            )
            return await refusal(scope, receive, send_guarded)
        if scope["type"] == "http" and scope["method"] not in READING:
            return await PlainTextResponse("This app takes no uploads.", 405)(scope, receive, send_guarded)
        if scope["type"] == "websocket":
            if not is_own_page(origin, host):
                _log.warning(
                    "refused a page of %s, which called the app %s: have the proxy pass on its name (Host), or name the page "
                    "with --server.corsAllowedOrigins",
                    one_line(origin or ""),
                    one_line(host),
                )
                refusal = PlainTextResponse("This app answers to pages of its own only.", 403)
                return await refusal(scope, receive, send_guarded)
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"origin"]}
        await self.app(scope, receive_guarded, send_guarded)


def _is_said_by_pages(said: bytes) -> bool:
    if len(said) > st.get_option("server.maxWidgetStateSize") * 1_000_000:  # Streamlit refuses it unread
        return True
    try:
        heard = BackMsg.FromString(said)
    except (DecodeError, UnicodeDecodeError):
        return False
    kind = heard.WhichOneof("type")
    if kind == "backend_operation_request":
        return heard.backend_operation_request.WhichOneof("payload") in SAID
    return kind in SAID


def is_own(host: str) -> bool:
    """Whether a Host header names the app: anything does where it listens to the network."""
    address = st.get_option("server.address")
    if address is None or not _is_local(address):
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return _is_local(name) or name in _allowed_names()
    except ValueError:
        return False


def is_own_page(origin: str | None, host: str) -> bool:
    """Whether an Origin header names the app, called by the name `host`, or a page that may talk to it; null: no browser's."""
    if origin is None or not st.get_option("server.enableCORS"):
        return True
    try:
        page = urlsplit(origin)
        return page.netloc == host or page.hostname in _allowed_names()
    except ValueError:
        return False


def _allowed_names() -> set[str]:
    origins = st.get_option("server.corsAllowedOrigins") or []
    named = (urlsplit(origin.strip() if "://" in origin else f"//{origin.strip()}").hostname for origin in origins)
    return {name for name in named if name}


def _is_local(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
