"""Contents of bad files, each made by a short call, so that a row of a table can show what is bad about it."""

import gzip
import io
import json
import os
import pickle
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

Content = bytes | str | list | dict | Callable[[Path], Any]
"""What is written, or what is done with the path; a list or an object is written as JSON."""


def make(path: Path, content: Content) -> None:
    """Make a file, or whatever the content makes of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if callable(content):
        content(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def parquet(columns: dict[str, Any] | pa.Table, store_schema: bool = True) -> bytes:
    """A Parquet file of a table; without Arrow's schema, dictionaries are read as plain columns."""
    sink = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), sink, store_schema=store_schema)
    return sink.getvalue()


def twice(column: str, **others: list) -> bytes:
    """A Parquet file that has a column twice."""
    values = [*others.values(), ["a"], ["b"]]
    return parquet(pa.Table.from_arrays([pa.array(v) for v in values], names=[*others, column, column]))


def packed(content: str | bytes) -> bytes:
    """gzip of a content."""
    return gzip.compress(content if isinstance(content, bytes) else content.encode(), mtime=0)


def cut(content: bytes, end: int = 20) -> bytes:
    """A file whose last bytes are missing."""
    return content[:-end]


def pickled(value: object) -> bytes:
    return pickle.dumps(value)


def zipped(name: str, content: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr(name, content)
    return sink.getvalue()


def tarred(name: str, content: str) -> bytes:
    sink, member = io.BytesIO(), tarfile.TarInfo(name)
    member.size = len(content)
    with tarfile.open(fileobj=sink, mode="w") as file:
        file.addfile(member, io.BytesIO(content.encode()))
    return sink.getvalue()


def nested(depth: int, opening: str = "[", closing: str = "]") -> str:
    return opening * depth + closing * depth


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def link_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table titles (title text)")


def database(statement: str) -> Callable[[Path], None]:
    """A DuckDB file of something else."""

    def build(path: Path) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.execute(statement)

    return build
