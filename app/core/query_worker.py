"""The process in which a person's SQL runs: it can read the log and nothing else, and can be killed at any moment.

Not meant to be started by hand: `app.core.query_pool` does. The store is a private copy, named on the command line. Each line
on standard input is a request in JSON (sql, run, most, timeout_s); the answer is a line in JSON ({"error": …} or
{"bytes": n}), and the n bytes of an Arrow stream.
"""

import json
import sys
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa

from app.core.confinement import confine
from oracle import UserError
from oracle.log import open_audit, query

MOST_COLUMNS = 300
MOST_BYTES = 200_000_000


def main(store: str, log_root: str, memory: str) -> None:
    # DuckDB's threads are begun by this one, and so bound by the same limits.
    confine(readable=[Path(log_root), Path(store)])
    answers, sys.stdout = sys.stdout.buffer, sys.stderr
    with open_audit(store, log_root, threads=2, memory=memory, copied=True) as connection:
        _send(answers, {"ready": True})
        for line in sys.stdin.buffer:
            try:
                rows = _answer(connection, **json.loads(line))
            except UserError as error:
                _send(answers, {"error": str(error)})
            else:
                _send(answers, {"bytes": rows.size}, rows)


def _answer(connection: duckdb.DuckDBPyConnection, sql: str, run: str | None, most: int, timeout_s: float) -> pa.Buffer:
    """At most `most` rows, as an Arrow stream."""
    if run is not None:
        connection.execute("set variable run = ?", [run])
    rows = query(connection, sql, timeout_s=timeout_s, most=most)
    if rows.num_columns > MOST_COLUMNS:
        raise UserError(f"the answer has {rows.num_columns} columns, and this page shows {MOST_COLUMNS}: select fewer")
    if rows.nbytes > MOST_BYTES:
        raise UserError(
            f"the answer takes {rows.nbytes / 1e6:.0f} MB, and this page shows {MOST_BYTES / 1e6:.0f}: select fewer "
            "columns, or shorter ones"
        )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue()


def _send(answers: BinaryIO, header: dict, body: pa.Buffer | None = None) -> None:
    answers.write(json.dumps(header).encode() + b"\n")
    if body is not None:
        answers.write(body)
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
