"""The end of a query that hears nobody: DuckDB looks at no clock in some functions, and counts no rows that it has handed on."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from oracle.base.memory import memory_taken

LOOK_S = 0.1  # between two looks at time and memory
GRACE_S = 2.0  # for DuckDB to stop by itself
_UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


@contextmanager
def watched(connection: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[None]:
    """End this process, with one line and 2, where it takes more than `timeout_s` and some, or more memory than DuckDB may.

    For commands that have nothing to put away: no handler of the process' end is run.
    """
    [(memory,)] = connection.execute("select current_setting('memory_limit')").fetchall()
    done = threading.Event()
    threading.Thread(target=_watch, args=(done, timeout_s, memory), daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _watch(done: threading.Event, timeout_s: float, memory: str) -> None:
    number, unit = memory.split()
    most, end = float(number) * _UNITS[unit], time.monotonic() + timeout_s + GRACE_S
    while not done.wait(LOOK_S):
        if time.monotonic() > end:
            _end(f"the query was stopped after {timeout_s:g} s: narrow it down to a run or a step")
        if memory_taken() > most:
            _end(f"the query took more than {memory} of memory and was stopped: narrow it down to a run or a step")


def _end(said: str) -> None:
    print(f"error: {said}", file=sys.stderr, flush=True)
    os._exit(2)
