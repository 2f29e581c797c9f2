"""Pickles of titles, read by a process that may use only so much memory and time: see `unpickle.py`."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.json as pa_json

from oracle.base.errors import UserError
from oracle.sources import unpickle


def read_pickle(path: Path) -> tuple[bool, pa.Table]:
    """Return whether the pickle is a dictionary of titles to ids, and its rows: content, imdb_id, title, year as text.

    Raises `UserError` for one that asks for more than plain containers, text and numbers, or that holds no titles.
    """
    command = [sys.executable, "-I", "-S", unpickle.__file__, str(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode < 0:
        raise UserError(
            f"{path} is a pickle that nests too deeply, or takes too long, to be data (signal {-done.returncode})"
        )
    if done.returncode:
        raise UserError(f"{path} is a pickle that {done.stderr.decode(errors='replace').strip().splitlines()[-1]}")
    first, _, rest = done.stdout.partition(b"\n")
    schema = pa.schema([(name, pa.string()) for name in unpickle.COLUMNS])
    if not rest:
        return json.loads(first)["is_dict"], schema.empty_table()
    options = pa_json.ReadOptions(use_threads=False, block_size=len(rest))
    parsed = pa_json.read_json(io.BytesIO(rest), options, pa_json.ParseOptions(explicit_schema=schema))
    return json.loads(first)["is_dict"], parsed
