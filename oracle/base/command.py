"""How every command ends: 0; one line and 2 for what a person can put right; one line and 130 for Ctrl-C, at any moment.

This module imports nothing that takes time, so that Ctrl-C ends well while all else is still being imported.
"""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

STOPPED = 130
_IMPORTING = "<frozen importlib._bootstrap>"
_asked = False  # to stop, by Ctrl-C
_left: Callable[[], str] = str
_memory = ""
_is_over = False


def command(main: Callable[[list[str]], object], argv: Sequence[str]) -> NoReturn:
    """Run `main(argv)` as this process' work, and exit."""
    signal.signal(signal.SIGINT, _stop)
    sys.exit(outcome(main, argv))


def outcome(main: Callable[[list[str]], object], argv: Sequence[str]) -> int:
    """Run `main(argv)` and return the exit code. A fault of this project is raised as it is."""
    when_stopped("")
    try:
        main(list(argv))
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
    except KeyboardInterrupt:
        return _say_stopped()
    except Exception as error:
        if _asked:  # libraries turn Ctrl-C into errors of their own
            return _say_stopped()
        if not (told := _told(error)):
            raise
        _end_bars()
        print("\n".join(f"error: {line}" for line in told), file=sys.stderr)
        return 2
    return 0


def when_stopped(left: str | Callable[[], str], memory: str = "") -> None:
    """Have Ctrl-C, and errors of the machine, end from now on with what is left, and how to go on.

    `memory` names the flags that lower what the command takes of a GPU's memory.
    """
    global _left, _memory
    _left, _memory = (left if callable(left) else lambda: left), memory


def end_at_once() -> None:
    """Have the process end, with 0, as soon as all that was registered for its end has run: Python doesn't take itself down."""
    global _is_over
    _is_over = True


@atexit.register  # before all others, as this module is imported first; so it runs last
def _end() -> None:
    if _is_over:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def as_typed(text: str | None, prog: str) -> str:
    """A help text that says `python pipeline/train.py`, for who has typed `safe-rank train`."""
    import re

    return re.sub(r"python pipeline/(\w+)\.py", r"safe-rank \1", text or "") if " " in prog else text or ""


def _told(error: Exception) -> list[str]:
    """The lines for a person; none for a fault of this project."""
    from oracle.base.advice import advice
    from oracle.base.errors import UserError
    from oracle.base.printable import in_short

    if isinstance(error, UserError):
        return [in_short(line) for line in str(error).splitlines()]
    told = advice(error, _memory)
    return [in_short("; ".join(filter(None, [told, _left()])))] if told else []


def _say_stopped() -> int:
    if os.environ.get("RANK", "0") == "0":  # of several processes that a launcher began, one speaks
        _end_bars()
        print("; ".join(filter(None, ["stopped", _left()])), file=sys.stderr, flush=True)
    return STOPPED


def _end_bars() -> None:
    """End the line of a progress bar that was being drawn, so that what is said next has a line of its own."""
    bars = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    for bar in list(getattr(bars, "_instances", ())):
        bar.close()


def _stop(signum: int, frame: FrameType | None) -> None:
    """Ctrl-C. An import is ended at once, as libraries catch what is raised in one; and a second Ctrl-C ends all."""
    global _asked
    if _asked:
        os._exit(STOPPED)
    if _is_importing(frame):
        os._exit(_say_stopped())
    _asked = True
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False
