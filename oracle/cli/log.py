"""`log list | query | compact | export | delete`: the run log from the command line."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from oracle.base.errors import UserError
from oracle.base.files import check_writable, written_whole
from oracle.log import (
    GRACE_S,
    KINDS,
    ask,
    compact,
    delete_run,
    export_run,
    named_queries,
    open_audit,
    open_log,
    query,
    write_rows,
)
from oracle.store import log_root

_VARIABLES: dict[str, type] = {"run": str, "other_run": str, "step": int, "completion": int}


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands; each leaves its function in `run`, to be called with the parsed arguments."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = _command(commands, "list", _list, "the runs of a log, newest first")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")

    asking = _command(commands, "query", _query, "ask a named query, or any SELECT; without a name: which there are")
    asking.add_argument("name", nargs="?", help="a named query")
    asking.add_argument("--sql", help="a SELECT to run instead; - reads it from standard input")
    for variable, kind in _VARIABLES.items():
        flag, into = f"--{variable.replace('_', '-')}", f"about_{variable}"
        asking.add_argument(flag, dest=into, type=kind, help="what a named query is about, see its header")
    asking.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="give up after (default: 60)")
    form = asking.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--out", type=Path, help="write the rows to this .csv or .parquet file")

    merging = _command(commands, "compact", _compact, "merge the many small folders of finished steps")
    merging.add_argument("runs", nargs="*", metavar="RUN", help="runs to merge (default: all that nobody is writing)")
    merging.add_argument("--no-wait", action="store_true", help="leave the removal of what was merged to the next call")

    exporting = _command(commands, "export", _export, "write a run as one file, with a row for each rank")
    exporting.add_argument("run_id", metavar="RUN")
    exporting.add_argument("file", type=Path, help="a .parquet or .csv file")
    exporting.add_argument("--overwrite", action="store_true", help="replace a file that is there")

    deleting = _command(commands, "delete", _delete, "remove runs and all their steps")
    deleting.add_argument("runs", nargs="+", metavar="RUN")
    deleting.add_argument("--yes", action="store_true", help="yes, remove them for good")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 after one line on stderr about what was wrong with the input."""
    arguments = app.parse_args(argv)
    try:
        arguments.run(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
    return 0


def _command(commands, name: str, run, about: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about)
    parser.add_argument("--store", type=Path, default=Path("store.duckdb"), help="the log is beside it (%(default)s)")
    parser.set_defaults(run=run)
    return parser


def _connection(arguments: argparse.Namespace) -> duckdb.DuckDBPyConnection:
    """With the store's tables, where there is a store."""
    return open_audit(arguments.store) if arguments.store.is_file() else open_log(log_root(arguments.store))


def _list(arguments: argparse.Namespace) -> None:
    with open_log(log_root(arguments.store)) as connection:
        _show(ask(connection, "runs"), arguments.json)


def _query(arguments: argparse.Namespace) -> None:
    if not arguments.name and not arguments.sql:
        for named in named_queries().values():
            print(f"{named.name:24}{named.title}")
        return
    if arguments.name and arguments.sql:
        raise UserError(f"query {arguments.name} and --sql: give one of them")
    if arguments.out:
        if arguments.out.suffix not in KINDS:
            raise UserError(f"--out {arguments.out}: expected a name that ends in .csv or .parquet")
        check_writable(arguments.out)
    with _connection(arguments) as connection:
        if arguments.name:
            given = {name: getattr(arguments, f"about_{name}") for name in _VARIABLES}
            chosen = {name: value for name, value in given.items() if value is not None}
            rows = ask(connection, arguments.name, arguments.timeout, **chosen)
        else:
            sql = sys.stdin.read() if arguments.sql == "-" else arguments.sql
            rows = query(connection, sql, timeout_s=arguments.timeout)
    if arguments.out:
        with written_whole(arguments.out) as part:
            write_rows(rows.to_reader(), part, arguments.out.suffix)
        print(f"{rows.num_rows} rows in {arguments.out}", file=sys.stderr)
    else:
        _show(rows, arguments.json)


def _compact(arguments: argparse.Namespace) -> None:
    root = log_root(arguments.store)
    with open_log(root) as connection:
        runs = arguments.runs or query(connection, "select run_id from runs order by run_id")["run_id"].to_pylist()
    merged = [run_id for run_id in runs if _compact_one(root, run_id, must=bool(arguments.runs))]
    if merged and not arguments.no_wait:
        time.sleep(GRACE_S + 0.1)  # until nobody reads the single folders any more
        for run_id in merged:
            _compact_one(root, run_id, must=False)


def _compact_one(root: Path, run_id: str, must: bool) -> bool:
    """Whether there was anything to do."""
    try:
        done = compact(root, run_id, wait=False)
    except UserError as error:
        if must:
            raise
        print(f"left as it is: {error}", file=sys.stderr)
        return False
    if done.steps_merged or done.folders_removed:
        print(f"{run_id}: {done.steps_merged} steps merged, {done.folders_removed} folders removed")
    return bool(done.steps_merged)


def _export(arguments: argparse.Namespace) -> None:
    rows = export_run(log_root(arguments.store), arguments.run_id, arguments.file, overwrite=arguments.overwrite)
    print(f"{rows} verdicts in {arguments.file}")


def _delete(arguments: argparse.Namespace) -> None:
    if not arguments.yes:
        raise UserError(f"this removes {', '.join(arguments.runs)} for good: say --yes if you mean it")
    for run_id in arguments.runs:
        delete_run(log_root(arguments.store), run_id)
        print(f"{run_id}: deleted")


def _show(rows: pa.Table, as_json: bool) -> None:
    import polars as pl  # only to print

    frame = pl.DataFrame(rows)
    if as_json:
        sys.stdout.write(frame.write_ndjson())
        return
    with pl.Config(tbl_rows=1000, tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=200, tbl_hide_dataframe_shape=True):
        print(frame)


app = argparse.ArgumentParser(prog="log", description="The run log of a store.")
add_commands(app)

if __name__ == "__main__":
    sys.exit(main())
