"""How every command ends: 0; one line and 2 for what a person can put right; one line and 130 for Ctrl-C, at any moment.

A closed terminal (129) and a plain `kill` (143) end it as Ctrl-C does, so that nothing half-written stays on the disk.
This module imports nothing that takes time, so that Ctrl-C ends well while all else is still being imported.
"""

import atexit
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import NoReturn

BEHIND_S = 0.05  # until a finaliser is over
_IMPORTING = "<frozen importlib._bootstrap>"
_asked = 0  # the signal that asked to stop, such as that of Ctrl-C
_left: Callable[[], str] = str
_memory = ""
_is_over = False
_goes_on = False


def command(main: Callable[[list[str]], object], argv: Sequence[str]) -> NoReturn:
    """Run `main(argv)` as this process' work, and exit."""
    _open_streams()
    sys.unraisablehook = _unraisable
    asking = [signal.SIGINT]
    if "RANK" not in os.environ:  # a launcher ends its processes in its own way
        asking += [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    for signum in asking:
        if signum == signal.SIGINT or signal.getsignal(signum) != signal.SIG_IGN:  # as nohup has it
            signal.signal(signum, _stop)
    code = outcome(main, argv)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # Python would try again, and end with a code of its own
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def go_on_unread() -> None:
    """Have the work go on, from now on, when whoever reads its output leaves (`| head -1`): nothing is left half done for that.

    To be called before libraries are imported that keep a stream for themselves.
    """
    global _goes_on
    _goes_on = True
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            stream.flush()
            raw = _Unread(stream.fileno(), "w", closefd=False)
            whole = io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, stream.errors, line_buffering=True)
            setattr(sys, name, whole)


class _Unread(io.FileIO):
    """A stream that goes to nobody once its reader has left."""

    def write(self, data) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            with open(os.devnull, "wb") as nobody:
                os.dup2(nobody.fileno(), self.fileno())
            return len(data)


def outcome(main: Callable[[list[str]], object], argv: Sequence[str]) -> int:
    """Run `main(argv)` and return the exit code. A fault of this project is raised as it is."""
    when_stopped("")
    try:
        _check_folder()
        main(list(argv))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has seen enough
        return 128 + 13 if _goes_on else 0  # as the shell says it
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):  # which rich turns into this
            raise
    except KeyboardInterrupt:
        return _say_stopped()
    except Exception as error:
        if _asked:  # libraries turn Ctrl-C into errors of their own
            return _say_stopped()
        if not (told := _told(error)):
            raise
        _end_bars()
        _say("\n".join(f"error: {line}" for line in told))
        return 2
    return 0


def _check_folder() -> None:
    from oracle.base.errors import UserError

    try:
        os.getcwd()
    except FileNotFoundError:
        raise UserError(
            "the folder in which this runs was removed: change to another one (cd), then try again"
        ) from None


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
    # All is done: Python takes itself down, for seconds where torch was in use.
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
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
    try:
        from oracle.base.advice import advice
        from oracle.base.errors import UserError
        from oracle.base.printable import in_short
    except MemoryError:  # of a process that may not even take what these take
        return ["there is not enough memory: close other programs, or raise the limit (ulimit -v)"]
    if isinstance(error, UserError):
        return [in_short(line) for line in error.lines]
    told = advice(error, _memory)
    return [in_short("; ".join(filter(None, [told, _left()])))] if told else []


def _say_stopped() -> int:
    if os.environ.get("RANK", "0") == "0":  # of several processes that a launcher began, one speaks
        _end_bars()
        _say("; ".join(filter(None, ["stopped", _left()])))
    return 128 + (_asked or signal.SIGINT)


def _say(lines: str) -> None:
    """On stderr, or to nobody where that is a closed terminal or a full disk."""
    with suppress(OSError):
        try:
            print(lines, file=sys.stderr, flush=True)
        except RuntimeError:  # a signal came amid another write to it
            os.write(2, f"{lines}\n".encode(errors="backslashreplace"))


def _open_streams() -> None:
    """Have all three standard streams, and no text that they can't say. One that the caller closed gives nothing: else the next
    file that is opened, such as the store, had its number, and got what libraries print."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: not every terminal can say every title


def _end_bars() -> None:
    """End the line of a progress bar that was being drawn, so that what is said next has a line of its own."""
    bars = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    for bar in list(getattr(bars, "_instances", ())):
        bar.close()


def _stop(signum: int, frame: FrameType | None) -> None:
    """A signal asks to stop. An import is ended at once, as libraries catch what is raised in one; a second signal ends all."""
    global _asked
    if _asked:
        os._exit(128 + signum)
    _asked = signum
    if _is_importing(frame):
        os._exit(_say_stopped())
    raise KeyboardInterrupt


def _unraisable(swallowed: "sys.UnraisableHookArgs") -> None:
    """A finaliser swallows what is raised in it. Of a signal it is raised again behind it; what stopping leads to is not told."""
    global _asked
    if not _asked:
        sys.__unraisablehook__(swallowed)
    elif isinstance(swallowed.exc_value, KeyboardInterrupt):
        signum, _asked = _asked, 0
        threading.Timer(BEHIND_S, os.kill, [os.getpid(), signum]).start()


def _is_importing(frame: FrameType | None) -> bool:
    while frame:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False
