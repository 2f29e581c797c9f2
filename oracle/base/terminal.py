"""Rows as a table for people: it fits the terminal that shows it; in a pipe or a file it is as wide as its values."""

import io
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from oracle.base.arrow import in_full
from oracle.base.printable import in_json, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_ROWS = 1000  # of a table at a terminal: more would only push the first ones out of sight
UNLIMITED = 1_000_000  # characters
READABLE = 10  # characters of a column at which longer values can still be read, in several lines
GAP = 3  # characters between columns


def print_rows(rows: pa.Table) -> None:
    """Print the rows as a table; where a terminal is too narrow for all columns, each row as a list of them.

    No value is cut short: what does not fit goes on in the next line of its cell. Text that others wrote is shown as text on
    one line, its control characters by their numbers. Beyond `MOST_ROWS`, a terminal gets none, and stderr says so.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=None if is_terminal else UNLIMITED, highlight=False)
    shown = in_full(rows.slice(0, MOST_ROWS) if is_terminal else rows)
    names = [one_line(name) for name in rows.column_names]
    cells = [[_cell(value) for value in column.to_pylist()] for column in shown.columns]
    widest = [max(map(len, [name, *column])) for name, column in zip(names, cells, strict=True)]
    if sum(widest) + GAP * len(names) > console.width:
        names = [name.replace("_", "_\n") for name in names]
    narrowest = [max(map(len, name.split("\n"))) for name in names]
    if (
        sum(max(n, min(w, READABLE)) for n, w in zip(narrowest, widest, strict=True)) + GAP * len(names)
        <= console.width
    ):
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for name, width, field in zip(names, narrowest, rows.schema, strict=True):
            side: Literal["left", "right"] = "right" if _is_number(field.type) else "left"
            table.add_column(Text(name), justify=side, overflow="fold", min_width=width)
        for row in zip(*cells, strict=True):
            table.add_row(*map(Text, row))
        _print(console, table)
    else:
        for row in zip(*cells, strict=True):
            record = Table.grid("name", "value", padding=(0, 2))
            for name, cell in zip(rows.column_names, row, strict=True):
                record.add_row(Text(one_line(name)), Text(cell))
            _print(console, record)
            print()
    if shown.num_rows < rows.num_rows:
        print(f"{rows.num_rows - shown.num_rows:,} more rows: --json and --out give all of them", file=sys.stderr)


def print_json(written: str) -> None:
    """Print JSON of one or more lines, its control characters by their numbers; as UTF-8, whatever the terminal's encoding is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(in_json(written))


def _print(console: "Console", table: "Table") -> None:
    """Without the spaces that fill up lines."""
    with console.capture() as printed:
        console.print(table)
    print("\n".join(line.rstrip() for line in printed.get().splitlines()))


def _cell(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int)) for item in value):
        return ", ".join(one_line(item) for item in value)
    return one_line(json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (list, dict)) else value)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
