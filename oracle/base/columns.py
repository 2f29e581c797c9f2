"""Faults of tables that any reader meets: columns that bear one name, and what Arrow says of CSV, in words for people."""

from collections import Counter
from collections.abc import Iterable

from oracle.base.errors import in_a_line

# What Arrow's reader of CSV says, and what a person can do about it. The first that fits holds.
_OF_CSV = (
    ("straddl", "a row has too many bytes: shorten its texts, or close a quote"),
    ("out of sync with chunker", "a text goes over several lines: put it on one, or close a quote"),
    ("invalid UTF8", "a row is not UTF-8 text: save the file as UTF-8"),
    ("Empty CSV file", "it has no rows"),
)


def repeated(names: Iterable[str]) -> list[str]:
    """The names that stand more than once, in order."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def csv_fault(error: Exception) -> str:
    """What is wrong with a CSV file, and what to do, of an error of Arrow's."""
    said = in_a_line(error)
    return next((told for sign, told in _OF_CSV if sign in said), said)
