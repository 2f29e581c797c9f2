"""Four writers, a compactor, three readers and the app in a browser, killed at random; then the log is counted.

python -m tests.soak [--minutes 20] [--seed 5]

Prints a table in Markdown, what the slowest pages waited for, and a verdict; exits with 1 where a step is missing, double or
in part, somebody was told of an error or waited for a page for two minutes, a process got nothing done, or memory grew.
"""

import argparse
import collections
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil

from oracle.log import LogWriter
from oracle.store.build import build_starter_store
from tests.soak.work import EVEN, ODD, counted
from tests.tiny_log import RUN

KILL_EVERY_S = 8.0  # one process, on average
LOOK_S = 5.0  # between two looks at memory
NAMES = {"write": "writers", "merge": "compactor", "read": "readers", "browse": "app in a browser"}
COUNTED = {"step": "steps", "merge": "merges", "query": "queries", "page": "pages"}
GROWTH = 1.25  # memory in the last quarter over that in the second; the log itself grows all the time


class Worker:
    """A process that is begun again whenever it has ended."""

    def __init__(self, role: str, *arguments: str) -> None:
        self.role, self.arguments = role, arguments
        self.done: collections.Counter[str] = collections.Counter()
        self.troubles: list[str] = []
        self.pages: list[tuple[float, str]] = []  # seconds, what it says of a page
        self.kills, self.memory = 0, []  # type: int, list[tuple[float, float]]
        self.start()

    def start(self) -> None:
        line = [sys.executable, "-m", "tests.soak.work", self.role, *self.arguments]
        # Not a session each: of these Linux gives each the same share, the app and all of the browser one of nine.
        self.process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, process_group=0
        )
        self.works = False
        threading.Thread(target=self._listen, args=[self.process], daemon=True).start()

    def _listen(self, process: subprocess.Popen) -> None:
        assert process.stdout
        for line in process.stdout:
            what, *rest = line.split()
            if what == "trouble":
                self.troubles.append(line.strip())
            elif what == "page":
                self.pages.append((float(rest[1]), " ".join(rest)))
            self.done[what] += 1
            self.works = True

    def kill(self) -> None:
        family: list[psutil.Process] = []
        with suppress(psutil.Error):  # it has ended by itself
            own = psutil.Process(self.process.pid)
            family = [own, *own.children(recursive=True)]  # the app and the browser belong to the one that drives them
        for member in family:
            with suppress(psutil.Error):
                member.send_signal(signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def look(self, seconds: float) -> None:
        """Note the memory; one that is only starting has less."""
        if not self.works:
            return
        with suppress(psutil.Error):
            own = psutil.Process(self.process.pid)
            family = [own, *(c for c in own.children(recursive=True) if "streamlit" in " ".join(c.cmdline()))]
            self.memory.append((seconds, sum(p.memory_info().rss for p in family) / 1e6))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=5)
    args = parser.parse_args()
    moments = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        store = str(build_starter_store(Path(folder) / "store.duckdb"))
        runs = []
        for _ in range(4):
            with LogWriter(Path(store).with_suffix(".log"), RUN) as writer:
                runs.append(writer.run_id)
        workers = [Worker("write", store, run) for run in runs] + [Worker("merge", store)]
        workers += [Worker("read", store) for _ in range(3)]
        if shutil.which("chromium"):
            workers.append(Worker("browse", store, f"{folder}/waited"))
        try:
            _let_run(workers, args.minutes * 60, moments)
        finally:
            for worker in workers:
                worker.kill()
        steps = [counted(store, run) for run in runs]
    wrong = [s for s in steps if s != [(n, ODD if n % 2 else EVEN) for n in range(1, len(s) + 1)]]
    sys.exit(_tell(workers, steps, len(wrong), args.minutes))


def _let_run(workers: list[Worker], seconds: float, moments: random.Random) -> None:
    begun = time.monotonic()
    kill_at, look_at = KILL_EVERY_S, 0.0
    killable = [w for w in workers if w.role != "browse"] * 3 + [w for w in workers if w.role == "browse"]
    while (now := time.monotonic() - begun) < seconds:
        if now >= kill_at:
            moments.choice(killable).kill()
            kill_at = now + moments.expovariate(1 / KILL_EVERY_S)
        if now >= look_at:
            for worker in workers:
                worker.look(now)
            look_at = now + LOOK_S
        for worker in workers:
            if worker.process.poll() is not None:
                worker.start()
        time.sleep(0.1)


def _tell(workers: list[Worker], steps: list, wrong: int, minutes: float) -> int:
    """Print the table and the verdict; the exit status."""
    print("| process | done | killed | memory, second and last quarter | troubles |\n| --- | --- | --- | --- | --- |")
    bad = [f"{wrong} runs have a wrong step"] if wrong else []
    told, held = sum(worker.done["step"] for worker in workers), sum(map(len, steps))
    if held < told:
        bad.append(f"the writers finished {told:,} steps, and the log has {held:,}")
    for role, name in NAMES.items():
        of_role = [worker for worker in workers if worker.role == role]
        done = sum((worker.done for worker in of_role), collections.Counter())
        counts = ", ".join(f"{done[what]:,} {many}" for what, many in COUNTED.items() if done[what]) or "nothing"
        early, late = ([_between(w, share * minutes * 60) for w in of_role] for share in (0.25, 0.75))
        kills, errors = sum(w.kills for w in of_role), sum(len(w.troubles) for w in of_role)
        count = f"{len(of_role)} " if len(of_role) > 1 else ""
        print(f"| {count}{name} | {counts} | {kills} | {_span(early)}, {_span(late)} | {errors} |")
        # Writers and the compactor, which are killed more often than they fill up, can't show growth.
        grew = [one and one * GROWTH < other for one, other in zip(early, late, strict=True)]
        if role in ("read", "browse") and any(grew):
            bad.append(f"the memory of the {name} grew")
        if counts == "nothing":
            bad.append(f"the {name} got nothing done" if of_role else "no chromium opened the app")
    print()
    troubles = [trouble for worker in workers for trouble in worker.troubles]
    pages = sorted((page for worker in workers for page in worker.pages), reverse=True)
    for _, page in pages[:3]:
        print(f"slow page: {page}")
    for trouble in troubles[:20]:
        print(trouble)
    bad += [f"{len(troubles)} troubles"] if troubles else []
    load = " ".join(f"{x:.1f}" for x in psutil.getloadavg())
    median = f"; a page took {statistics.median(seconds for seconds, _ in pages):.1f} s (median)" if pages else ""
    print(f"{minutes:g} minutes, load {load} at the end; steps a run: {[len(s) for s in steps]}{median}")
    passed = "PASSED: every step is there once and whole, nobody was told of an error, and memory stayed flat"
    print(f"FAILED: {'; '.join(bad)}" if bad else passed)
    return int(bool(bad))


def _span(megabytes: list[float]) -> str:
    """Of those that worked then."""
    working = [f"{mb:.0f}" for mb in sorted(megabytes) if mb]
    return " to ".join(dict.fromkeys([working[0], working[-1]])) + " MB" if working else "none"


def _between(worker: Worker, begin: float) -> float:
    """The median of memory in a quarter of the time, in MB."""
    span = max((t for t, _ in worker.memory), default=0) / 4
    return statistics.median([mb for t, mb in worker.memory if begin <= t <= begin + span] or [0])


if __name__ == "__main__":
    main()
