"""Four writers, a compactor, three readers and the app in a browser, killed at random; then the log is counted.

python -m tests.soak [--minutes 20] [--seed 5]

Prints a table, and exits with 1 where a step is missing, double or in part, somebody was told of an error, or memory grew.
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
from rich.console import Console
from rich.table import Table

from oracle.log import LogWriter
from oracle.store.build import build_starter_store
from tests.soak.work import EVEN, ODD, counted
from tests.tiny_log import RUN

KILL_EVERY_S = 8.0  # one process, on average
LOOK_S = 5.0  # between two looks at memory
GROWTH = 1.25  # memory in the last quarter over that in the second; the log itself grows all the time


class Worker:
    """A process that is begun again whenever it has ended."""

    def __init__(self, role: str, *arguments: str) -> None:
        self.role, self.arguments = role, arguments
        self.done: collections.Counter[str] = collections.Counter()
        self.troubles: list[str] = []
        self.kills, self.memory = 0, []  # type: int, list[tuple[float, float]]
        self.start()

    def start(self) -> None:
        line = [sys.executable, "-m", "tests.soak.work", self.role, *self.arguments]
        self.process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )
        threading.Thread(target=self._listen, args=[self.process], daemon=True).start()

    def _listen(self, process: subprocess.Popen) -> None:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("trouble"):
                self.troubles.append(line.strip())
            self.done[line.split()[0]] += 1

    def kill(self) -> None:
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for member in family:  # the app and the browser belong to the one that drives them
            with suppress(psutil.Error):
                member.send_signal(signal.SIGKILL)
        self.process.wait()
        self.kills += 1

    def look(self, seconds: float) -> None:
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
            workers.append(Worker("browse", store))
        _let_run(workers, args.minutes * 60, moments)
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
    table = Table("process", "done", "killed", "memory, MB: second quarter", "last quarter", "troubles")
    grown = False
    for worker in workers:
        early, late = (_between(worker, share * minutes * 60) for share in ((0.25), (0.75)))
        # A process that was killed lately has less; only the readers and the app live long enough to grow.
        grown |= bool(worker.role in ("read", "browse") and early and late and late > GROWTH * early)
        done = ", ".join(f"{n} {what}" for what, n in sorted(worker.done.items()) if what != "trouble")
        table.add_row(worker.role, done, str(worker.kills), f"{early:.0f}", f"{late:.0f}", str(len(worker.troubles)))
    console = Console(width=140)
    console.print(table)
    for trouble in [t for worker in workers for t in worker.troubles][:20]:
        console.print(trouble, markup=False)
    console.print(
        f"{minutes:g} minutes; steps a run: {[len(s) for s in steps]}; runs with a wrong step: {wrong}; memory grew: {grown}"
    )
    return int(bool(wrong or grown or any(worker.troubles for worker in workers)))


def _between(worker: Worker, begin: float) -> float:
    """The median of memory in a quarter of the time, in MB."""
    span = max((t for t, _ in worker.memory), default=0) / 4
    return statistics.median([mb for t, mb in worker.memory if begin <= t <= begin + span] or [0])


if __name__ == "__main__":
    main()
