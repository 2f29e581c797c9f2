"""Processes that answer people's SQL, one query each at a time: what a query does to its process, no one else notices.

A process that takes too long, or too much memory, is killed, whatever it is doing, and the next query gets a new one.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import NamedTuple

import psutil
import pyarrow as pa

from oracle import UserError
from oracle.base.database import copied
from oracle.base.files import check_readable, is_there
from oracle.store import alias_files, log_root

PROCESSES = 3  # queries that can run at once
MEMORY_MB = 2000  # that a process may take in all; DuckDB itself is told to take half
KEPT_MB = 500  # that it may keep when it has answered: the next query has as much left as any other
LOOK_S = 0.05  # between two looks at time and memory
GRACE_S = 1.0  # for DuckDB to stop by itself before its process is killed
START_S = 60.0
UNCONFINED = (
    "this system does not confine them (no Landlock, which Linux has from 5.13 on where it is switched on), so that a fault of "
    "DuckDB could give them all that the app may read and write: open the app only to people whom you trust"
)
_WORKER = ("-P", "-m", "app.core.query_worker")  # -P: the folder where the app was started may hold an `app` too


class Answer(NamedTuple):
    """The rows of a query; the same with nested and odd values as text; and these with control characters by their numbers.
    `left_out`: what of the log could not be read for it, in a line; null: it is of all of it."""

    rows: pa.Table
    flat: pa.Table
    shown: pa.Table
    left_out: str | None


class QueryPool:
    """A few processes that can read one store and its log."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self.is_confined = True  # as far as is known: the process that was begun last says so
        self._places: LifoQueue[_Process | None] = LifoQueue()  # None: not begun yet
        for _ in range(PROCESSES):
            self._places.put(None)
        self._waiting: deque[object] = deque()
        self._is_closed = False

    def ask(
        self, sql: str, run_id: str | None, most: int, timeout_s: float, waiting: Callable[[float], object]
    ) -> Answer:
        """At most `most` rows of a SELECT; `run_id` is what `chosen_run()` gives in it.

        `waiting` is called with the seconds that have passed, again and again; what it raises stops the query.

        Raises:
            UserError: no SELECT, one that fails, or one that takes too much time or memory.
        """
        process = self._place(timeout_s, waiting)
        try:
            if process is None or not process.is_as_new():
                process = self._begun(waiting)
            return process.ask({"sql": sql, "run": run_id, "most": most, "timeout_s": timeout_s}, timeout_s, waiting)
        finally:
            self._places.put(process if process and process.is_as_new() else None)
            if self._is_closed:  # meanwhile: nobody else would end it
                self.close()

    def _place(self, timeout_s: float, waiting: Callable[[float], object]) -> "_Process | None":
        begun, ticket = time.monotonic(), object()
        self._waiting.append(ticket)
        try:
            while (seconds := time.monotonic() - begun) < timeout_s:
                if self._waiting[0] is ticket:  # who came first is served first
                    with suppress(Empty):
                        return self._places.get(timeout=LOOK_S)
                else:
                    time.sleep(LOOK_S)
                waiting(seconds)
        finally:
            self._waiting.remove(ticket)
        raise UserError(f"{PROCESSES} other queries are running: try again in a moment")

    def _begun(self, waiting: Callable[[float], object]) -> "_Process":
        try:
            process = _Process(self._store, waiting)
        except (OSError, RuntimeError) as error:  # of a thread that can't be begun
            why = getattr(error, "strerror", None) or error
            raise UserError(f"no process could be started for this query: {why}; try again in a moment") from None
        self.is_confined = process.is_confined
        if not self.is_confined:
            logging.getLogger(__name__).warning("the SQL page's statements run unconfined: %s", UNCONFINED)
        return process

    def close(self) -> None:
        """End the processes that no query is using, and the others when they have answered. Who has the pool still may ask it."""
        self._is_closed = True
        free = []
        with suppress(Empty):
            while True:
                free.append(self._places.get_nowait())
        for process in free:
            if process:
                process.kill()
            self._places.put(None)


class _Process:
    """One process of `app.core.query_worker`."""

    def __init__(self, store: Path, waiting: Callable[[float], object]) -> None:
        # It may not make its own copies, as it may write nothing, nor look into the folder of the store.
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._store = store
        self._log = _identity(log_root(store))  # before it begins: what takes its place meanwhile is another one
        try:
            self._begin(waiting)
        except BaseException:
            self._folder.cleanup()
            raise

    def _begin(self, waiting: Callable[[float], object]) -> None:
        self._copy = copied(self._store, self._folder.name)
        arguments = [str(self._copy), str(log_root(self._store)), f"{MEMORY_MB // 2}MB"]
        root = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(
            [sys.executable, *_WORKER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))},
        )
        self._reader = ThreadPoolExecutor(1)
        header, _ = self._wait(
            START_S,
            waiting,
            f"the process that answers queries did not start in {START_S:g} s: ask again",
            "the process that answers queries could not start: the app's standard error says why",
        )
        self.is_confined: bool = header["confined"]
        with suppress(OSError):
            self._copy.unlink()  # the open file outlives its name

    def ask(self, request: dict, timeout_s: float, waiting: Callable[[float], object]) -> Answer:
        too_long = f"the query was stopped after {timeout_s:g} s: narrow it down to a run or a step"
        ended = "the query ended its process, by too much memory or a fault of DuckDB: narrow it down, or ask in another way"
        self._bring_decisions()
        header, bodies = self._wait(timeout_s + GRACE_S, waiting, too_long, ended, json.dumps(request).encode() + b"\n")
        rows, *forms = (pa.ipc.open_stream(body).read_all() for body in bodies)
        return Answer(rows, forms[0], forms[-1], header["left_out"])

    def _bring_decisions(self) -> None:
        """Copy what people have decided about titles so far to where the process can read it.

        Raises `UserError` for files that can't be read or copied: a verdict without them would be wrong in silence.
        """
        for file, copy in zip(alias_files(self._store), alias_files(self._copy), strict=False):
            try:
                copy.unlink(missing_ok=True)
                if is_there(file):
                    check_readable(file)
                    shutil.copyfile(file, copy)
            except OSError as error:
                self.kill()  # its folder may be gone, as old ones are from /tmp; the next process has a new one
                raise UserError(f"cannot copy {file} for this query: {error.strerror or error}; ask again") from None

    def _wait(
        self, timeout_s: float, waiting: Callable[[float], object], too_long: str, ended: str, request: bytes = b""
    ) -> tuple[dict, list[bytes]]:
        """Its next answer; kills it where there is none within the limits, or `waiting` raises.

        Raises `UserError` of `too_long` where it takes too long, and of `ended` where the process ends instead.
        """
        begun = time.monotonic()
        try:
            answer = self._reader.submit(self._exchange, request)
            while True:
                waiting(seconds := time.monotonic() - begun)
                if rows := self._ready(answer, ended):
                    break
                if seconds > timeout_s:
                    raise UserError(too_long)
                if self._megabytes() > MEMORY_MB:
                    raise UserError(f"the query took more than {MEMORY_MB / 1000:g} GB of memory and was stopped")
        except BaseException:
            self.kill()
            raise
        header, _ = rows
        if "error" in header:
            if not header["usable"]:
                self.kill()
            raise UserError(header["error"])
        return rows

    def _ready(self, answer: Future, ended: str) -> tuple[dict, list[bytes]] | None:
        try:
            return answer.result(LOOK_S)
        except NotYet:
            return None
        except BrokenPipeError:  # it died while nobody asked it anything
            raise UserError("the process that answers queries has ended: ask again") from None
        except (OSError, ValueError):
            raise UserError(ended) from None

    def _exchange(self, request: bytes) -> tuple[dict, list[bytes]]:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin and stdout
        stdin.write(request)  # a long one waits for its reader
        stdin.flush()
        header = json.loads(stdout.readline())  # an empty line, where it has ended, is a ValueError
        bodies = [stdout.read(size) for size in header.get("bytes", [])]
        if [len(body) for body in bodies] != header.get("bytes", []):
            raise ValueError  # it ended amid its answer
        return header, bodies

    def _megabytes(self) -> float:
        try:
            return psutil.Process(self._process.pid).memory_info().rss / 1e6
        except psutil.Error:
            return 0.0

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def is_as_new(self) -> bool:
        """Whether it can take another query. It is ended where it has kept much memory, and where another folder has taken the
        place of the log, as from a backup: the system lets it read only the one that it began with (`confinement`)."""
        if not self.is_alive() or self._megabytes() > KEPT_MB or _identity(log_root(self._store)) != self._log:
            self.kill()
        return self.is_alive()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.shutdown(wait=False)
        self._folder.cleanup()


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which folder a path leads to now, whatever it is called; null for none."""
    with suppress(OSError):
        status = os.stat(folder)
        return status.st_dev, status.st_ino
    return None
