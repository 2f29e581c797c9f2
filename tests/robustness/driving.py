"""Runs the commands in this process, as people run them: a line of words in, the exit status and what was printed out."""

import hashlib
import os
import shlex
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oracle.base.command import outcome
from oracle.cli.main import main as oracle
from pipeline import evaluate, prepare, sft, train

PATIENCE_S = 10
COMMANDS: dict[str, Callable[[list[str]], object]] = {
    "prepare": lambda argv: outcome(prepare.main, argv),
    "sft": lambda argv: outcome(sft.main, argv),
    "train": lambda argv: outcome(train.main, argv),
    "evaluate": lambda argv: outcome(evaluate.main, argv),
    "oracle": oracle,
}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


def run(line: str, capture) -> Done:
    """Run a line such as "prepare titles.csv"; `capture` is pytest's capfd. An exception or a hang is one of the test's."""
    name, *argv = shlex.split(line)
    capture.readouterr()
    with stopped_after(PATIENCE_S):
        try:
            status = COMMANDS[name](argv) or 0
        except SystemExit as ended:
            status = ended.code or 0
    out, err = capture.readouterr()
    assert isinstance(status, int), status
    return Done(status, out, err)


@contextmanager
def stopped_after(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in what takes longer."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def state_of(folder: Path) -> dict[str, str]:
    """Every path below a folder but for locks, which are empty: the hash of a file, where a link leads, or what else it is."""
    return {str(path.relative_to(folder)): _state(path) for path in sorted(folder.rglob("*")) if path.suffix != ".lock"}


def _state(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"-> {os.readlink(path)}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(mode) else f"{stat.S_IFMT(mode):o}"
