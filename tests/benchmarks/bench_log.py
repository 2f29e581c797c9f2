"""A large run log: size on disk, cost of writing, and the time of every view and query, the app's too.

python -m tests.benchmarks.bench_log [--verdicts 50_000_000] [--runs 20] [--folder FOLDER] [--json FILE]

By default of 2 million verdicts, which takes a minute. With --folder the log is kept there, and used again if it is
there already. Queries use two threads.
"""

import argparse
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import track
from rich.table import Table

from oracle import UserError
from oracle.base.resources import read_sql
from oracle.log import LogWriter, ask, compact, named_queries, open_log, query
from oracle.log.writer import MERGE_EVERY
from tests.synthetic_log import SETTINGS, World, make_step

PROMPTS, GENERATIONS, RANKS = 48, 8, 20
DISTINCT_STEPS = 80  # a run repeats these: too far apart for compression to profit
LOOSE_STEPS = MERGE_EVERY // 2  # of the newest run, which is training still
PROGRESS = Console(stderr=True)
REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="keep the log here, or use the one that is here")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary) / "store.log"
        written = {} if folder.is_dir() else write(folder, args.verdicts, args.runs)
        figures = {**written, **size(folder), "queries": list(ask_everything(folder))}
    show(figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))


def write(folder: Path, verdicts: int, runs: int) -> dict:
    """Write a gdpo and a grpo run through the real writer and merge them; the other runs are copies of these two."""
    steps = max(2, round(verdicts / runs / (PROMPTS * GENERATIONS * RANKS)))
    world = World(n_films=24_000)
    writing: list[float] = []
    merging = 0.0
    for seed, mode in enumerate(("gdpo", "grpo")):
        run = {**SETTINGS, "num_generations": GENERATIONS, "rec_num": RANKS, "advantage_mode": mode}
        made = range(1, min(steps, DISTINCT_STEPS) + 1)
        tables = [make_step(world, run, s, len(made), PROMPTS, seed) for s in track(made, mode, console=PROGRESS)]

        def write_steps(writer: LogWriter, first: int, last: int, tables=tables) -> None:
            for step in range(first, last + 1):
                writing.append(timed(lambda: writer.write_step(step, *tables[step % len(tables)]))[1])

        with LogWriter(folder, run) as writer:
            write_steps(writer, 1, steps)
        merging += timed(lambda run_id=writer.run_id: compact(folder, run_id, grace_s=0.0))[1]
        for number in range((runs - 1 - seed) // 2):
            copy_run(folder, writer.run_id, f"20200101-00000{seed}-{number:04x}")
    with LogWriter.resume(folder, writer.run_id) as newest:  # as if it were training now
        write_steps(newest, steps + 1, steps + LOOSE_STEPS)
    return {
        "runs": runs,
        "steps_a_run": steps,
        "write_step_cpu_ms": round(1e3 * statistics.mean(writing), 1),  # the merging that the writer does included
        "last_merge_cpu_ms_a_step": round(1e3 * merging / (2 * (steps % MERGE_EVERY or MERGE_EVERY)), 1),
    }


def copy_run(folder: Path, run_id: str, new_id: str) -> None:
    """Views take run_id from the folder's name, but for the run's own row."""
    shutil.copytree(folder / run_id, folder / new_id)
    run = pq.read_table(folder / new_id / "run.parquet")
    pq.write_table(run.set_column(0, run.schema.field(0), [pa.array([new_id])]), folder / new_id / "run.parquet")


def size(folder: Path) -> dict:
    with open_log(folder) as log:
        (verdicts,) = log.sql("select count(*) from verdicts").fetchall()[0]
    used = sum(f.stat().st_size for f in folder.rglob("*.parquet"))
    return {"verdicts": verdicts, "gigabytes": round(used / 1e9, 2), "bytes_a_verdict": round(used / verdicts, 1)}


def ask_everything(folder: Path) -> Iterator[dict]:
    with open_log(folder) as log:
        log.execute("set threads = 2")
        newest, other = (r for (r,) in log.sql("select run_id from runs order by run_id desc limit 2").fetchall())
        (step,) = log.sql("select max(step) from rank_sums where run_id = ?", params=[newest]).fetchall()[0]
        for name, sql in statements(log, newest, other, step):
            yield measured(name, lambda sql=sql: query(log, sql))
        for name, named in named_queries().items():
            yield measured(f"query {name}", lambda name=name: ask(log, name))
            if "run" in named.variables:
                yield measured(f"query {name}, older run", lambda name=name: ask(log, name, run=other))
        values = app_values(newest, other, step)
        for file in sorted(f.name.removesuffix(".sql") for f in (files("sql") / "app").iterdir()):
            sql = read_sql(f"app/{file}")
            bound = {name: values[name] for name in set(re.findall(r"\$(\w+)", sql))}
            try:
                yield measured(f"app {file}", lambda sql=sql, bound=bound: query(log, sql, bound or None))
            except UserError as error:
                if "does not exist" not in str(error) and "is not among" not in str(error):  # the store is not here
                    raise


def statements(log: duckdb.DuckDBPyConnection, run: str, other: str, step: int) -> Iterator[tuple[str, str]]:
    """Each view: summed up over a run, and for the fine-grained ones a step of it."""
    rows = {"step_curves", "rank_penalties", "run_summary", "trait_breakdown", "evasion_signals", "film_penalties"}
    yield "run_summary, all runs", "from run_summary"
    yield "count of all verdicts", "select count(*) from verdicts"
    for (view,) in log.sql("select view_name from duckdb_views() where not internal order by all").fetchall():
        if view in ("runs", "run_shape", "log_counted", "rederivation"):
            continue
        what = "*" if view in rows else "count(*)"
        yield f"{view}, a run", f"select {what} from {view} where run_id = '{run}'"
        if "step" in log.table(view).columns and view not in rows:
            yield f"{view}, a step", f"select * from {view} where run_id = '{run}' and step = {step}"
    yield "rederivation, a step", f"select count(*) from rederive('{run}', {step}) where differs"
    yield "rederivation, a run", f"select count(*) from rederive('{run}') where differs"
    yield "what_if, a step", f"from what_if('{run}', new_lambda := 2, step_number := {step})"
    yield "what_if_summary, a run", f"from what_if_summary('{run}', new_lambda := 2, new_threshold := 0.5)"
    yield "compare_runs", f"from compare_runs('{other}', '{run}')"
    yield "why, an answer", f"from why('{run}', {step}, 17)"


def app_values(run: str, other: str, step: int) -> dict:
    return {
        "run": run, "other": other, "runs": [run, other], "step": step, "steps": [step, step - 1], "first": 1,
        "last": step, "group": 3, "rank": 3, "most": 500_000, "imdb_id": "tt0000001", "title": "The Blue Dream 1",
        "year": 2000, "search": "blue", "trait": "Trait 01 avoider", "lambda": 2.0, "penalty": 1.0, "threshold": 0.5,
        "dataset": None, "unresolved": "safe",
        "unrated": "safe",
    }  # fmt: skip


def measured(name: str, work) -> dict:
    seconds, processor = zip(*(timed(work) for _ in range(REPEATS)), strict=True)
    return {
        "what": name,
        "first_s": round(seconds[0], 3),
        "median_s": round(statistics.median(seconds), 3),
        "cpu_s": round(min(processor), 3),
    }


def timed(work) -> tuple[float, float]:
    """Seconds by the clock, and of the processor (of all threads: on a busy machine the better measure)."""
    begin, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begin, time.process_time() - processor


def show(figures: dict) -> None:
    table = Table("what", "first, s", "median, s", "processor, s", "")
    for row in sorted(figures["queries"], key=lambda row: -row["cpu_s"]):
        seconds = [f"{row[name]:.2f}" for name in ("first_s", "median_s", "cpu_s")]
        table.add_row(row["what"], *seconds, "> 1 s" if row["median_s"] > 1 else "")
    console = Console(width=120)
    console.print(table)
    console.print({name: value for name, value in figures.items() if name != "queries"})


if __name__ == "__main__":
    main()
