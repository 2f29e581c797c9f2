"""Unpickles plain data: a script of the standard library alone, which `pickles.py` runs under limits.

A pickle is a program. This one may build lists, tuples, sets, dictionaries, text, bytes and numbers; whatever else it
asks for is refused before it runs. What a pickle can still do with these is to fill the memory or to nest without end:
so it gets a process of its own, which may use only so much memory and time.

    python unpickle.py FILE     # a line {"is_dict": ...}, then one for each film: {content, imdb_id, title, year}
"""

import json
import pickle
import reprlib
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

ALLOWED = {"set": set, "frozenset": frozenset}  # all other plain types have operations of their own
PLAIN = "only plain lists, sets, dictionaries, text and numbers are read"
MEMORY, MEMORY_PER_BYTE = 256 << 20, 48
SAID, SAID_PER_BYTE = 64 << 20, 16  # bytes of rows: a text that a pickle holds once may stand in each of them
COLUMNS = ("content", "imdb_id", "title", "year")
SECONDS, SECONDS_PER_MB = 10, 2
LONGEST_NUMBER = 1024  # bits


class Refused(Exception):
    """What makes a pickle unusable, for the person who named it."""


class PlainUnpickler(pickle.Unpickler):
    """An unpickler of plain containers, text, bytes and numbers."""

    def find_class(self, module: str, name: str) -> type:
        if module in ("builtins", "__builtin__") and name in ALLOWED:
            return ALLOWED[name]
        raise Refused(f"asks to load {module}.{name}: {PLAIN}")

    def persistent_load(self, pid: object) -> NoReturn:
        raise Refused(f"refers to objects outside of it: {PLAIN}")


def plain(file: IO[bytes]) -> object:
    """Unpickle plain data; raises `Refused`."""
    try:
        return PlainUnpickler(file, encoding="utf-8", errors="replace").load()
    except Refused:
        raise
    except MemoryError:
        raise Refused("asks for far more memory than its size can need") from None
    except RecursionError:
        raise Refused("nests too deeply to be data") from None
    except Exception as error:  # the bytes of a broken pickle can raise nearly anything
        raise Refused(f"is no complete pickle ({type(error).__name__}: {error})") from None


def rows_of(data: object) -> tuple[bool, Iterator[tuple]]:
    """Return whether `data` maps titles to ids, and a row for each entry, as COLUMNS: text or None.

    What is no film has no title, and is shown as its content.
    """
    if isinstance(data, dict):
        return True, (row(entry, film(entry[0]), text(entry[1])) for entry in data.items())
    if isinstance(data, set | frozenset):
        data = sorted(data, key=shown)  # a set has no order of its own
    if isinstance(data, list | tuple):
        return False, (row(entry, film(entry), None) for entry in data)
    raise Refused(f"holds a {type(data).__name__}: expected a list or set of (title, year), or {{(title, year): id}}")


def row(entry: object, named: tuple[str | None, str | None], imdb_id: str | None) -> tuple:
    title, year = named
    return (shown(entry) if title is None else None, imdb_id, title, year)


def film(entry: object) -> tuple[str | None, str | None]:
    if isinstance(entry, str):
        return text(entry), None
    if isinstance(entry, tuple | list) and len(entry) == 2:
        title, year = entry
        return text(title), text(year) if year is None or text(year) is not None else shown(year)
    return None, None


def text(value: object) -> str | None:
    """The text of a plain value, null for None, containers, numbers that are too long to be said, and halves of characters."""
    if isinstance(value, str):
        return value if value == value.encode("utf-8", "replace").decode() else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return None if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER else str(value)


class Short(reprlib.Repr):
    """Python writes no number of over 4,300 digits."""

    def repr_int(self, x: int, level: int) -> str:
        return f"a number of {x.bit_length():,} bits" if x.bit_length() > LONGEST_NUMBER else super().repr_int(x, level)


def shown(entry: object) -> str:
    """A short form of an entry, however deep or long it is."""
    short = Short()
    short.maxstring = short.maxother = 200
    short.maxlevel = 3
    return short.repr(entry).encode("utf-8", "replace").decode()


def main(path: str) -> None:
    size = Path(path).stat().st_size
    memory = MEMORY + MEMORY_PER_BYTE * size
    seconds = SECONDS + SECONDS_PER_MB * size // 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with open(path, "rb") as file:
        is_dict, rows = rows_of(plain(file))
    write, left = sys.stdout.write, SAID + SAID_PER_BYTE * size
    write(json.dumps({"is_dict": is_dict}) + "\n")
    for columns in rows:
        line = json.dumps(dict(zip(COLUMNS, columns, strict=True))) + "\n"
        left -= len(line)
        if left < 0:
            raise Refused("repeats its texts so often that its rows take far more memory than its size can need")
        write(line)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Refused as error:
        sys.exit(str(error))
    except MemoryError:
        sys.exit("asks for far more memory than its size can need")
    except ValueError as error:
        sys.exit(f"holds what is no title, year or id: {error}")
