"""`store update`: a store that an earlier version of this project built."""

import argparse
import sys
from pathlib import Path

from oracle.base.printable import one_line


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands; each leaves its function in `run`, to be called with the parsed arguments."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "bring a store of an older format up to date, from what it holds"
    updating = commands.add_parser("update", help=about, description=about)
    updating.add_argument(
        "store", nargs="?", type=Path, default=Path("store.duckdb"), metavar="STORE", help="(%(default)s)"
    )
    updating.set_defaults(run=_update)


def _update(arguments: argparse.Namespace) -> None:
    from oracle.store import STORE_FORMAT, upgrade_store  # slow to import: behind --help

    number, left_out = upgrade_store(arguments.store)
    earlier = f"was of format {number}, and is up to date"
    said = "was of that format already, and is made anew" if number == STORE_FORMAT else earlier
    print(f"{one_line(arguments.store)} (format {STORE_FORMAT}): {said}")
    if left_out:
        print(one_line(f"not kept, as a store has no such columns: {', '.join(left_out)}"), file=sys.stderr)
