"""Statements kept in `sql/*.sql`, read as package resources so that a wheel works like a checkout."""

from functools import cache
from importlib.resources import files


@cache
def read_sql(name: str) -> str:
    """Return the text of `sql/<name>.sql`."""
    return (files("sql") / f"{name}.sql").read_text(encoding="utf-8")
