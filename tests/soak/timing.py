"""What pages of the app wait for: the seconds of each query, as they see it, in a file."""

import functools
import os
import time
from pathlib import Path

FILE = "SOAK_QUERIES"  # the environment's variable that names the file


@functools.cache
def begin() -> None:
    """Note every call of `database.rows` from now on."""
    from app.core import database  # brings Streamlit, which only the app needs

    asked = database.rows

    def rows(name: str, **params: object):
        begun = time.monotonic()
        try:
            return asked(name, **params)
        finally:
            with open(os.environ[FILE], "a") as file:
                file.write(f"{begun:.3f} {time.monotonic() - begun:.3f} {name}\n")

    database.rows = rows


def noted(file: Path, since: float) -> list[tuple[float, str]]:
    """(seconds, name) of each query that was asked after `since` (monotonic clock)."""
    lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return [(float(seconds), name) for begun, seconds, name in lines if float(begun) >= since]
