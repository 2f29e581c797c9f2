"""The process in which a person's SQL runs: it can read the log and nothing else, and can be killed at any moment.

Not meant to be started by hand: `app.core.query_pool` does. The store is a private copy, named on the command line, in a folder
of its own; what people decided about titles is copied there before each request. Its first line says that it is ready
({"confined": whether the system confines it}). Each line on standard input is a request in JSON (sql, run, most, timeout_s); the
answer is a line in JSON ({"error": …, "usable": …} or {"bytes": [n, m …]}), and Arrow streams of so many bytes: the rows, the
rows flattened, and these as people may see them where that is something else. That is done here because it may take as much
time and memory as the query.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa

from app.core.confinement import confine
from app.core.flat import flattened, shown
from app.core.query_pool import LOOK_S, MEMORY_MB
from oracle import UserError
from oracle.base.advice import advice
from oracle.base.arrow import in_full
from oracle.base.memory import memory_taken
from oracle.log import open_audit, query, seen_last

MOST_COLUMNS = 300
MOST_NAMES_BYTES = 200_000  # and nested types, some 2,000 fields: the app reads them, however few the rows
GRACE_S = 3.0  # for the app to kill this process, if it is there
MOST_BYTES = 50_000_000  # of an answer, and of each of its other forms


def main(store: str, log_root: str, memory: str) -> None:
    # The folder of the copies, not the copies: a file that is put there later is another one to the system.
    readable = [Path(log_root), Path(store).parent]
    # DuckDB's threads are begun by this one, and so bound by the same limits.
    is_confined = confine(readable, listable=[path for root in readable for path in _looked_through(root)])
    if not _is_seen():
        threading.Thread(target=_watch_memory, daemon=True).start()
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    try:
        _serve(answers, store, log_root, memory, is_confined)
    except Exception as error:  # standard error takes no word of it where it is a file: this process may write none
        if told := str(error) if isinstance(error, UserError) else advice(error):
            _send(answers, {"error": told, "usable": False})
        raise


def _serve(answers: BinaryIO, store: str, log_root: str, memory: str, is_confined: bool) -> None:
    with open_audit(store, log_root, threads=2, memory=memory, copied=True) as connection:
        _send(answers, {"confined": is_confined})
        for line in sys.stdin.buffer:
            request = json.loads(line)
            _live(request["timeout_s"] + GRACE_S)
            try:
                streams = _answer(connection, **request)
            except UserError as error:
                _send(answers, {"error": str(error), "usable": _is_usable(connection)})
            else:
                # What is damaged within a file, this process alone has met so far.
                left_out = seen_last(Path(log_root)).told()
                _send(answers, {"bytes": [stream.size for stream in streams], "left_out": left_out}, *streams)
            _live(0)


def _is_seen() -> bool:
    """Whether the app can see how much memory this process takes, and so kills it in time."""
    return not sys.platform.startswith("linux") or Path("/proc/self").exists()


def _watch_memory() -> None:
    """End this process where it takes too much memory."""
    # At first it is the most that the app took, which this process began as.
    most = max(MEMORY_MB * 1_000_000, memory_taken())
    while memory_taken() <= most:
        time.sleep(LOOK_S)
    os._exit(1)


def _looked_through(root: Path) -> list[Path]:
    """The folders whose names DuckDB compares with a pattern: it takes a folder `sweep[1]` on the way for one."""
    return [path.parent for path in (root, *root.parents) if set(path.name) & set("[*?")]


def _live(seconds: float) -> None:
    """Have the system end this process after so many seconds, whatever it does then and whoever is left to ask; 0: never."""
    if hasattr(signal, "setitimer"):  # Windows has none
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _answer(
    connection: duckdb.DuckDBPyConnection, sql: str, run: str | None, most: int, timeout_s: float
) -> list[pa.Buffer]:
    """At most `most` rows, the same flattened, and these shown where they differ, as Arrow streams."""
    connection.execute("set variable run = ?", [run])
    rows = query(connection, sql, timeout_s=timeout_s, most=most)
    if rows.num_columns > MOST_COLUMNS:
        raise UserError(f"the answer has {rows.num_columns} columns, and this page shows {MOST_COLUMNS}: select fewer")
    if (size := rows.schema.serialize().size) > MOST_NAMES_BYTES:
        raise UserError(
            f"the names of the answer's columns, and of the fields nested in them, take {size / 1000:,.0f} kB, and this page "
            f"shows {MOST_NAMES_BYTES / 1000:.0f}: give them shorter names (with AS), or select fewer"
        )
    streams = [_stream(rows), _stream(flat := flattened(rows))]
    seen = shown(in_full(flat))
    return streams if seen is flat else [*streams, _stream(seen)]


def _is_usable(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether DuckDB answers further queries: it doesn't after an error of its own."""
    try:
        connection.execute("select 1")
    except duckdb.Error:
        return False
    return True


def _stream(table: pa.Table) -> pa.Buffer:
    if table.nbytes > MOST_BYTES:
        raise UserError(
            f"the answer takes {table.nbytes / 1e6:.0f} MB, and this page shows {MOST_BYTES / 1e6:.0f}: select fewer "
            "columns, or shorter ones"
        )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def _send(answers: BinaryIO, header: dict, *bodies: pa.Buffer) -> None:
    answers.write(json.dumps(header).encode() + b"\n")
    for body in bodies:
        answers.write(body)
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
