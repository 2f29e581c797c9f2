"""What the sub-commands of `log` do, each with its parsed arguments."""

import argparse
import shlex
import sys
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from oracle.base.command import go_on_unread
from oracle.base.errors import Busy, UserError
from oracle.base.files import absolute, check_writable, written_whole
from oracle.base.printable import one_line
from oracle.base.terminal import print_json, print_rows
from oracle.cli.log import VARIABLES
from oracle.cli.watch import watched
from oracle.log import (
    GRACE_S,
    KINDS,
    MOST_CHARACTERS,
    ask,
    ask_about,
    ask_sql,
    compact,
    delete_run,
    export_run,
    lock_down,
    named_queries,
    open_audit,
    open_log,
    query,
    sayable,
    storable,
    tidy_log,
    write_rows,
)
from oracle.store import log_root


def _connection(arguments: argparse.Namespace) -> duckdb.DuckDBPyConnection:
    """With the store's tables, where there is a store."""
    if arguments.store.is_file():
        return open_audit(arguments.store)
    connection = open_log(log_root(arguments.store))
    lock_down(connection, absolute(log_root(arguments.store)))
    return connection


def list_runs(arguments: argparse.Namespace) -> None:
    with open_log(log_root(arguments.store)) as connection:
        _show(ask(connection, "runs"), arguments.json)


def query_log(arguments: argparse.Namespace) -> None:
    given = {name: getattr(arguments, f"about_{name}") for name in VARIABLES}
    chosen = {name: value for name, value in given.items() if value is not None}
    if arguments.name is None and arguments.sql is None:
        if chosen or arguments.json or arguments.out is not None:
            raise UserError(
                "nothing is asked: name a query, or give --sql; without further flags, the queries are listed"
            )
        for named in named_queries().values():
            print(f"{named.name:24}{named.title}")
        return
    if arguments.name is not None and arguments.sql is not None:
        raise UserError(f"query {arguments.name} and --sql: give one of them")
    if not arguments.timeout > 0:
        raise UserError(f"--timeout {arguments.timeout}: expected a number of seconds above 0")
    if arguments.out is not None:
        if arguments.out.suffix not in KINDS:
            raise UserError(f"--out {arguments.out}: expected a name that ends in .csv or .parquet")
        check_writable(arguments.out)
    with _connection(arguments) as connection:
        if arguments.name is not None:
            with watched(connection, arguments.timeout):
                rows, about = ask_about(connection, arguments.name, arguments.timeout, **chosen)
            said = [f"{name.replace('_', ' ')} {value}" for name, value in about.items() if value is not None]
            if told := ", ".join(said):
                print(f"about {one_line(told)}", file=sys.stderr)
        else:
            sql = _typed() if arguments.sql == "-" else arguments.sql
            with watched(connection, arguments.timeout):
                rows = ask_sql(connection, sql, arguments.timeout, **chosen)
    if arguments.out is not None:
        _check_names(rows)
        shown = storable(rows) if arguments.out.suffix == ".parquet" else sayable(rows)
        with written_whole(arguments.out) as part:
            write_rows(shown.to_batches(), shown.schema, part, arguments.out.suffix)
        print(f"{rows.num_rows} rows in {one_line(arguments.out)}", file=sys.stderr)
    else:
        _show(rows, arguments.json)


def _typed() -> str:
    """The statement on standard input; of one that is too long, enough to be refused."""
    return sys.stdin.buffer.read(4 * MOST_CHARACTERS + 1).decode(errors="surrogateescape")


def compact_runs(arguments: argparse.Namespace) -> None:
    go_on_unread()
    root = log_root(arguments.store)
    tidy_log(root)  # also where there is no run to merge
    with open_log(root) as connection:
        runs = arguments.runs or query(connection, "select run_id from runs order by run_id")["run_id"].to_pylist()
    unfinished, failed = [], []
    for run_id in runs:
        try:
            if _compact_one(root, run_id):
                unfinished.append(run_id)
        except UserError as error:
            if arguments.runs:
                raise
            print(f"left as it is: {one_line(error)}", file=sys.stderr)
            failed += [] if isinstance(error, Busy) else [run_id]
    if unfinished and not arguments.no_wait:
        time.sleep(GRACE_S + 0.1)  # until nobody reads the single folders any more
        for run_id in unfinished:
            with suppress(UserError):  # by another process meanwhile; the next call removes them
                _compact_one(root, run_id)
    if failed:
        raise UserError(f"{len(failed)} of {len(runs)} runs could not be merged: the lines above say why")


def _compact_one(root: Path, run_id: str) -> bool:
    """Whether anything is left to remove."""
    done = compact(root, run_id, wait=False)
    if done.steps_merged or done.folders_removed:
        print(f"{run_id}: {done.steps_merged} steps merged, {done.folders_removed} folders removed")
    return bool(done.left)


def export_one(arguments: argparse.Namespace) -> None:
    rows = export_run(log_root(arguments.store), arguments.run_id, arguments.file, overwrite=arguments.overwrite)
    print(f"{rows} verdicts in {one_line(arguments.file)}")


def delete_runs(arguments: argparse.Namespace) -> None:
    if not arguments.yes:
        raise UserError(f"this removes {', '.join(arguments.runs)} for good: say --yes if you mean it")
    go_on_unread()
    failed: list[str] = []
    for run_id in arguments.runs:
        try:
            delete_run(log_root(arguments.store), run_id)
            print(f"{run_id}: deleted")
        except UserError as error:
            failed += error.lines
    if failed:
        raise UserError(*failed)


def _show(rows: pa.Table, as_json: bool) -> None:
    rows = sayable(rows)
    if as_json:
        import polars as pl  # only for this

        _check_names(rows)
        print_json(pl.DataFrame(rows).write_ndjson())
    else:
        print_rows(rows)


def _check_names(rows: pa.Table) -> None:
    """Refuse two columns of one name, of which whoever reads a file or JSON gets one, or none."""
    if twice := sorted({name for name in rows.column_names if rows.column_names.count(name) > 1}):
        raise UserError(f"several columns are called {', '.join(twice)}: name them apart, such as {twice[0]} as other")


def rejudge_run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from oracle.rejudge import rejudge

    done = rejudge(
        arguments.store,
        arguments.run_id,
        risk_threshold=arguments.threshold,
        unresolved=arguments.unresolved,
        unrated=arguments.unrated,
        thought_tags=arguments.thought_tag,
        progress=lambda steps: tqdm(steps, desc="judging again", unit="step"),
    )
    for note in done.notes:
        print(one_line(note), file=sys.stderr)
    of = f"--store {shlex.quote(str(arguments.store))}"
    print(
        f"{done.run_id}: {done.changed} of {done.verdicts} verdicts changed (another film, or counted otherwise in a figure). "
        "Which, and why:\n"
        f"  python -m oracle log query changed_verdicts --run {done.run_id} {of}\n"
        f"  python -m oracle log query compare_with_previous --run {done.run_id} "
        f"--other-run {shlex.quote(arguments.run_id)} {of}"
    )
