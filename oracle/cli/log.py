"""`log list | query | compact | export | rejudge | delete`: the run log from the command line."""

import argparse
from pathlib import Path

from oracle.base.flags import tag_name

VARIABLES: dict[str, type] = {"run": str, "other_run": str, "step": int, "completion": int}


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands; each leaves its function in `run`, to be called with the parsed arguments."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = _command(commands, "list", "list_runs", "the runs of a log, newest first")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")

    asking = _command(
        commands, "query", "query_log", "ask a named query, or any SELECT; without a name: which there are"
    )
    asking.add_argument("name", nargs="?", help="a named query")
    asking.add_argument("--sql", help="a SELECT to run instead; - reads it from standard input")
    for variable, kind in VARIABLES.items():
        flag, into = f"--{variable.replace('_', '-')}", f"about_{variable}"
        asking.add_argument(
            flag,
            dest=into,
            type=kind,
            help="what the query is about: a named one's header, and chosen_run() and its like in SQL, say how",
        )
    asking.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="stop the query after; the time to copy the store and open the log is not in it (default: 60)",
    )
    form = asking.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="one JSON object a line; null also where a number is infinite or none (NaN)"
    )
    form.add_argument("--out", type=Path, help="write the rows to this .csv or .parquet file")

    merging = _command(commands, "compact", "compact_runs", "merge the many small folders of finished steps")
    merging.add_argument("runs", nargs="*", metavar="RUN", help="runs to merge (default: all that nobody is writing)")
    merging.add_argument("--no-wait", action="store_true", help="leave the removal of what was merged to the next call")

    exporting = _command(commands, "export", "export_one", "write a run as one file, with a row for each rank")
    exporting.add_argument("run_id", metavar="RUN")
    exporting.add_argument("file", type=Path, help="a .parquet or .csv file")
    exporting.add_argument("--overwrite", action="store_true", help="replace a file that is there")

    again = _command(
        commands, "rejudge", "rejudge_run", "judge a run's answers again, with this parser and store, into a new run"
    )
    again.add_argument("run_id", metavar="RUN")
    again.add_argument("--threshold", type=float, help="another risk from which a film violates (default: the run's)")
    for name, films in (("unresolved", "not found"), ("unrated", "of which nothing is known for a constraint")):
        again.add_argument(
            f"--{name}",
            choices=("safe", "violation", "ignore"),
            help=f"what films {films} count as (default: the run's)",
        )
    again.add_argument(
        "--thought_tag",
        action="append",
        type=tag_name,
        metavar="NAME",
        help="a mark of thoughts: plan for <plan> or [plan] (default: the run's)",
    )

    deleting = _command(commands, "delete", "delete_runs", "remove runs and all their steps")
    deleting.add_argument("runs", nargs="+", metavar="RUN")
    deleting.add_argument("--yes", action="store_true", help="yes, remove them for good")


def _command(commands, name: str, does: str, about: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about)
    parser.add_argument("--store", type=Path, default=Path("store.duckdb"), help="the log is beside it (%(default)s)")
    parser.set_defaults(run=lambda arguments: _do(does, arguments))
    return parser


def _do(name: str, arguments: argparse.Namespace) -> None:
    """What it needs is slow to import, and nobody who reads `--help` should wait for it."""
    from oracle.cli import log_commands

    getattr(log_commands, name)(arguments)
