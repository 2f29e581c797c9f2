"""The demo with several seeds: what each reached on its held-out users, the means, and the processor time that it took.

python -m tests.benchmarks.bench_demo                 # seeds 3407 and 1 to 4, in ./demo; goes on where it was stopped
python -m tests.benchmarks.bench_demo --seeds 1 2     # others
python -m tests.benchmarks.bench_demo --read_only     # the table of what is in the log; runs nothing

A row says before -> after; "fewer" is by how much the SVR fell, "kept" the share of the recall that is left.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

from oracle.log import open_log, query
from oracle.store import log_root

DEMO = Path(__file__).parents[2] / "pipeline" / "demo.py"
STORE = "demo/store.duckdb"
# Grain: one evaluated model of one seed, the newest evaluation of each.
EVALUATIONS = """
SELECT regexp_extract(model, 'seed-(\\d+)/', 1)::INTEGER AS seed, model LIKE '%/sft' AS is_before, run_summary.*
FROM run_summary JOIN runs USING (run_id)
WHERE runs.kind = 'evaluate' AND model SIMILAR TO 'demo/seed-\\d+/(sft|trained/final)' AND settings ->> 'split' = 'heldout'
QUALIFY row_number() OVER (PARTITION BY model ORDER BY run_id DESC) = 1
"""
SHARES = ("svr_20", "svr_20_high", "svr_20_known", "duplicate_rate", "unresolved_rate", "unrated_rate")
NUMBERS = {"recall_20": 3, "recall_safe_20": 3, "ndcg_20": 3, "films_per_list": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[3407, 1, 2, 3, 4])
    parser.add_argument("--read_only", action="store_true", help="run nothing")
    args = parser.parse_args()
    for seed in [] if args.read_only else args.seeds:
        before, started = _processor_time(), time.monotonic()
        subprocess.run([sys.executable, str(DEMO), "--seed", str(seed)], check=True)
        wall = time.monotonic() - started
        print(f"seed {seed}: {wall:.0f} s, {_processor_time() - before:.0f} s of processor time", flush=True)
    print(table(args.seeds))


def table(seeds: list[int]) -> str:
    """Markdown: a row a seed, and one of the means."""
    with open_log(log_root(STORE)) as log:
        rows = query(log, EVALUATIONS).to_pylist()
    found = {(row["seed"], row["is_before"]): row for row in rows}
    pairs = {str(seed): (found[seed, True], found[seed, False]) for seed in seeds if (seed, False) in found}
    if not pairs:
        sys.exit(f"{STORE} has no evaluation of the demo's seeds {seeds}")
    names = [*SHARES, *NUMBERS]
    before, after = (
        {name: sum(pair[side][name] for pair in pairs.values()) / len(pairs) for name in names} for side in (0, 1)
    )
    pairs["mean"] = before, after
    lines = ["| seed | fewer | kept | " + " | ".join(names) + " |", "| --- " * (len(names) + 3) + "|"]
    for seed, (a, b) in pairs.items():
        fewer, kept = 1 - b["svr_20"] / a["svr_20"], b["recall_20"] / a["recall_20"]
        cells = [f"{100 * a[n]:.1f} → {100 * b[n]:.1f} %" for n in SHARES]
        cells += [f"{a[n]:.{digits}f} → {b[n]:.{digits}f}" for n, digits in NUMBERS.items()]
        lines.append(" | ".join([f"| {seed}", f"{fewer:.0%}", f"{kept:.0%}", *cells]) + " |")
    return "\n".join(lines)


def _processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
