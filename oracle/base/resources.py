"""The folders `sql/` and `data/`, which lie beside this package in a checkout and in a wheel.

Found by this file's place, and not by their names: somebody's own package `data` may come first where Python imports by name.
"""

from functools import cache
from pathlib import Path

_BESIDE = Path(__file__).parents[2]
SQL = _BESIDE / "sql"
DATA = _BESIDE / "data"


@cache
def read_sql(name: str) -> str:
    """Return the text of `sql/<name>.sql`."""
    return (SQL / f"{name}.sql").read_text(encoding="utf-8")
