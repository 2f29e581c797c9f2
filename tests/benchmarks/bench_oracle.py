"""Speed and memory of the oracle beside those of the dictionary baseline, on a store of made-up titles.

    python tests/benchmarks/bench_oracle.py                 # 922,204 titles, 24,408 films x 20 traits
    python tests/benchmarks/bench_oracle.py --growth        # and stores of 10 thousand to 10 million titles (10 minutes)

Prints a table and writes benchmarks/oracle.json. It never fails on a time: the bars are there to compare with.
The store is kept in --folder and built when it is not there.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from dictionary_oracle import DictionaryOracle
from synthetic_titles import films_with_risk, queries, risks, titles

from oracle import build_store, create_oracle
from oracle.store import STORE_FORMAT
from oracle.store.build import bundled_traits

TITLES, FILMS_WITH_RISK = 922_204, 24_408
BATCH = 384 * 20
ROUNDS = 9
TRAITS = [trait.name for trait in bundled_traits()]

OPENING = """
import json, sys, time
import oracle, numpy, pyarrow.compute
def memory():
    lines = open("/proc/self/status").read().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss")}
before, start = memory(), time.perf_counter()
opened = oracle.create_oracle(store=sys.argv[1])
opened.check_safety(sys.argv[2], int(sys.argv[3]), {"gore": True})
seconds, after = time.perf_counter() - start, memory()
opened.check_safety(sys.argv[2] + "qu", int(sys.argv[3]), {"gore": True})
searched = memory()
print(json.dumps({"seconds": seconds, **{f"{when}_{kind}": value[kind] - before[kind]
      for when, value in (("first", after), ("searched", searched)) for kind in before}}))
"""

BULK = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[3])
import numpy as np, pyarrow as pa, oracle
from synthetic_titles import titles
opened, rows, chunk = oracle.create_oracle(store=sys.argv[1]), int(sys.argv[2]), 200_000
stored, rng = titles(int(sys.argv[4])), np.random.default_rng(5)
traits = pa.array(opened.trait_names)
seconds = 0
for start in range(0, rows, chunk):
    films = stored.take(pa.array(rng.integers(0, stored.num_rows, chunk)))
    avoided = traits.take(pa.array(rng.integers(0, len(traits), chunk)))
    constraints = pa.ListArray.from_arrays(pa.array(np.arange(chunk + 1, dtype=np.int32)), avoided)
    batch = pa.table({"title": films["title"], "year": films["year"], "constraints": constraints})
    started = time.perf_counter()
    opened.check_batch(batch)
    seconds += time.perf_counter() - started
print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"), help="where the stores and the JSON go")
    parser.add_argument("--growth", action="store_true", help="also measure stores of 10 thousand to 10 million titles")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    stored, store = stored_titles(options.folder, TITLES)
    rows = [*lookups(stored, store), bulk(store), *opening(stored, store)]
    if options.growth:
        rows += growth(options.folder)
    width = max(len(row["what"]) for row in rows)
    for row in rows:
        print(
            f"{row['what']:{width}}  {row['oracle']:>14}  {row['baseline']:>12}  {row['result']:>22}  bar {row['bar']}"
        )
    (options.folder / "oracle.json").write_text(json.dumps(rows, indent=1))


def stored_titles(folder: Path, count: int) -> tuple[pa.Table, Path]:
    """Return made-up titles, and the store of them."""
    stored, store = titles(count), folder / f"titles-{count}-{STORE_FORMAT}.duckdb"
    if not store.exists():
        print(f"building {store} ...", file=sys.stderr)
        build_store(store, titles=stored, trait_risk=known_risks(stored))
    return stored, store


def known_risks(stored: pa.Table) -> pa.Table:
    return risks(stored, TRAITS, min(FILMS_WITH_RISK, stored.num_rows))


def batch_of(stored: pa.Table, seed: int, **rough: float) -> pa.Table:
    return queries(
        stored, films_with_risk(stored.num_rows, min(FILMS_WITH_RISK, stored.num_rows)), BATCH, TRAITS, seed, **rough
    )


def lookups(stored: pa.Table, store: Path) -> list[dict]:
    """Batches of 384 x 20 films: by the oracle in one call, by the baseline in a loop."""
    baseline = DictionaryOracle(stored, known_risks(stored))
    plain = [batch_of(stored, seed) for seed in range(2 * ROUNDS + 1)]
    rough = [batch_of(stored, seed, typos=0.05, invented=0.1) for seed in range(100, 100 + ROUNDS)]
    rng = np.random.default_rng(7)

    def mostly_asked(number: int) -> pa.Table:
        """Return 90 % of a batch that was asked before, and 10 % of one that was not, shuffled."""
        old, new = plain[number].slice(0, BATCH * 9 // 10), plain[ROUNDS + number].slice(0, BATCH - BATCH * 9 // 10)
        return pa.concat_tables([old, new]).take(pa.array(rng.permutation(BATCH)))

    # From here on the files are in memory, as they are for all but the first process, and all code is loaded.
    create_oracle(store=store).check_batch(plain[-1])
    asked = [mostly_asked(number) for number in range(ROUNDS)]

    def medians(asked_before: list[pa.Table], batches: list[pa.Table]) -> tuple[float, float]:
        """Return (ours, theirs) in seconds a batch. Where nothing was asked before, each batch is an oracle's first."""
        opened, pairs = create_oracle(store=store), []
        for batch in asked_before:
            opened.check_batch(batch)
        for batch in batches:
            opened = opened if asked_before else create_oracle(store=store)
            films = as_objects(batch)
            pairs.append(
                (timed(lambda o=opened, b=batch: o.check_batch(b)), timed(lambda f=films: baseline.check_all(f)))
            )
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        return ours, theirs

    cases = [
        ("384 x 20 films, 90 % asked before", plain[:ROUNDS], asked, ">= 15 x"),
        ("384 x 20 films, nothing asked before", [], plain[:ROUNDS], ">= 4 x"),
        ("5 % typos, 10 % invented, all new", [], rough, "<= 0.5 s"),
        ("5 % typos, 10 % invented, asked before", rough, rough, ">= 10 x"),
    ]
    rows = []
    for what, asked_before, batches, bar in cases:
        ours, theirs = medians(asked_before, batches)
        rows.append(
            row(
                what,
                f"{ours * 1e3:.1f} ms",
                f"{theirs * 1e3:.1f} ms",
                f"{theirs / ours:.1f} x",
                bar,
                seconds=ours,
                baseline_seconds=theirs,
            )
        )
    return rows


def opening(stored: pa.Table, store: Path) -> list[dict]:
    """From the imports to the first verdict, in a process of its own."""
    film = stored.slice(0, 1).to_pylist()[0]
    runs = [child(OPENING, store, film["title"], film["year"]) for _ in range(5)]
    seconds = statistics.median(run["seconds"] for run in runs)
    first, searched = (statistics.median(sum(run[f"{when}_{kind}"] for kind in ("RssAnon", "RssFile", "RssShmem")) for run in runs)
                       for when in ("first", "searched"))  # fmt: skip
    private = statistics.median(run["searched_RssAnon"] for run in runs)
    return [
        row("opening, up to the first verdict", f"{seconds * 1e3:.0f} ms", "", "", "<= 0.2 s", seconds=seconds),
        row("memory over the imports", f"{first / 1e6:.0f} MB", "", "", "<= 100 MB", bytes=first),
        row(
            "  after a search, of it not shared",
            f"{searched / 1e6:.0f} MB",
            "",
            f"{private / 1e6:.0f} MB",
            "",
            bytes=searched,
            private=private,
        ),
    ]


def bulk(store: Path, rows: int = 10_000_000) -> dict:
    """Ten million films in batches of 200,000, in a process of its own."""
    run = child(BULK, store, rows, Path(__file__).parent, TITLES)
    rate = rows / run["seconds"]
    return row(
        "10 million films",
        f"{run['seconds']:.1f} s",
        "",
        f"{rate / 1e6:.2f} M/s, {run['peak'] / 1e9:.1f} GB",
        ">= 1 M/s, < 2 GB",
        **run,
    )


def growth(folder: Path) -> list[dict]:
    """A batch of which nothing was asked before, on ever larger stores."""
    medians = {}
    for count in (10_000, 100_000, 1_000_000, 10_000_000):
        stored, store = stored_titles(folder, count)
        for seed in range(90, 90 + ROUNDS):  # the index is in memory then, as it is for all but the first process
            create_oracle(store=store).check_batch(batch_of(stored, seed))
        batches = [batch_of(stored, seed) for seed in range(ROUNDS)]
        # A small store's titles would all be remembered after a batch or two.
        medians[count] = statistics.median(
            timed(lambda o=create_oracle(store=store), b=batch: o.check_batch(b)) for batch in batches
        )
    smallest = medians[10_000]
    return [
        row(
            f"a batch on {count:,} titles",
            f"{median * 1e3:.1f} ms",
            "",
            f"{median / smallest:.2f} x the smallest",
            "<= 2 x",
            seconds=median,
        )
        for count, median in medians.items()
    ]


def as_objects(batch: pa.Table) -> list[tuple[str, int, dict[str, bool]]]:
    return [(film["title"], film["year"], dict.fromkeys(film["constraints"], True)) for film in batch.to_pylist()]


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def child(program: str, *arguments: object) -> dict:
    """Run a program in a fresh process; it prints JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    return json.loads(done.stdout)


def row(what: str, oracle: str, baseline: str, result: str, bar: str, **figures: float) -> dict:
    return {"what": what, "oracle": oracle, "baseline": baseline, "result": result, "bar": bar, **figures}


if __name__ == "__main__":
    main()
