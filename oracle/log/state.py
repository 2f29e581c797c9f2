"""What of a log can't be read: left out of every figure, so that one broken run breaks no other, and always told.

A view opens the files of all runs at once, so a run whose settings are no Parquet, or have columns of other types, would break
it for all. Such runs, and steps, are found here, and `set_aside` has the views of a connection pass them over:

    run.parquet or a manifest can't be read      the whole run is left out
    its folder's name begins with no digit       the whole run is left out, as the views' patterns want one there
    a name begins with _ or with a dot           it is no run
    a step lacks a file, or has a broken one     that folder is
    loss.parquet can't be read                   that file is
"""

import logging
import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from oracle.base.advice import is_shortage
from oracle.base.database import connect, pattern_of, unescaped
from oracle.base.errors import UserError
from oracle.base.files import absolute
from oracle.base.printable import one_line
from oracle.log.folders import FORMAT, MANIFEST_NAME, counted, superseded
from oracle.log.sound import (
    TABLES,
    is_broken,
    is_decoded,
    is_readable,
    is_sound,
    is_whole,
    manifests_of,
    note_broken,
    sign_of,
)

SEARCH_S = 20.0  # of a search for what is damaged
SETTLED_NS = 2_000_000_000  # coarser than the times of any file system: what changed so lately may change again, and look the same
_KINDS = {  # what views open all at once, and what there is of it in _schema
    "run": "run.parquet",
    "loss": "loss.parquet",
    "manifest": "manifest-00000000.parquet",
    "older_single": "step-00000000",
    "older_merged": "steps-00000000-00000000-0000000000-9999999999",
}
_log = logging.getLogger(__name__)
_said: set[str] = set()


@dataclass
class State:
    """Of a log, as this process saw it last."""

    runs: dict[str, Path] = field(default_factory=dict)  # left out -> the file that is wrong
    parts: set[Path] = field(default_factory=set)  # folders of steps, and files of losses, that are left out
    passed_over: set[Path] = field(default_factory=set)  # folders of steps that don't count, and would stop a query
    kept: dict[str, list[str]] = field(default_factory=dict)  # kind of file -> patterns, where not all are opened
    older: list[str] = field(default_factory=list)  # runs with steps of an older format
    folders: int = 0  # of steps that count

    def left_out(self) -> list[Path]:
        return [*self.runs.values(), *sorted(self.parts)]

    def told(self) -> str | None:
        """What is left out, in a line; null: nothing is."""
        if not (wrong := self.left_out()):
            return None
        some = ", ".join(map(_as_text, wrong[:3])) + (" …" if len(wrong) > 3 else "")
        return (
            f"{len(wrong)} part{'s' if len(wrong) > 1 else ''} of the log can't be read, and in no figure and no export "
            f"(bring back, rename, or move away; a manifest with its whole run): {some}"
        )


@dataclass
class _Run:
    """What was found in the folder of a run."""

    wrong: Path | None = None  # for which the run is left out
    parts: set[Path] = field(default_factory=set)
    passed_over: set[Path] = field(default_factory=set)  # as DuckDB opens some folders that don't count
    names: dict[str, list[str]] = field(default_factory=dict)  # of `_KINDS`; none: it is no run, or is left out
    readable: set[Path] = field(default_factory=set)  # folders of steps, which nobody changes once they are there
    is_older: bool = False
    signs: dict[Path, tuple | None] = field(default_factory=dict)  # of the folder and of what is wrong: how these were
    is_settled: bool = False

    def is_as_seen(self) -> bool:
        return self.is_settled and all(sign_of(path) == sign for path, sign in self.signs.items())


def _as_text(path: Path) -> str:
    """With a mark for what is no UTF-8."""
    return os.fsencode(path).decode(errors="replace")


_states: dict[Path, tuple[dict[str, _Run], State]] = {}


def state_of(log_root: Path) -> State:
    """As it was seen last, but for runs in whose folders something has come or gone since, or what was wrong has changed."""
    return _looked(absolute(log_root))


def seen_last(log_root: Path) -> State:
    """As it was at the last look, and so for the last query: that the log is whole again by now says nothing of its answer."""
    return _states[absolute(log_root)][1]


def look(log_root: Path) -> State:
    """Look at each run's settings and manifests, and at the ends of the files of each step that counts.

    Raises:
        UserError: a run whose name is no UTF-8.
    """
    return _looked(absolute(log_root), anew=True)


def _looked(log_root: Path, again: Collection[str] = (), anew: bool = False) -> State:
    """The state; `again` are runs to look at whatever their folders' signs say; `anew`: all of them."""
    known, state = ({}, State()) if anew else _states.get(log_root, ({}, State()))
    found = {}
    names, foreign = _names(log_root)
    for name in names:
        seen = known.get(name, _Run())
        if name in again or not seen.is_as_seen():
            seen = _seen(log_root, name, set() if name in again else seen.readable)
        found[name] = seen
    if found != known or bool(state.kept) != bool(foreign or state.left_out() or state.passed_over):
        state = _state(log_root, found, foreign)
    _states[log_root] = found, state
    return state


def _names(log_root: Path) -> tuple[list[str], bool]:
    """Of what may be runs, and whether there are folders that the views' patterns take for runs, as they begin as _schema does."""
    try:
        names = os.listdir(log_root)
    except PermissionError as error:
        raise UserError(f"cannot list the log {log_root}: {error.strerror}; ask its owner for r and x on it") from None
    except OSError as error:
        if is_shortage(error):
            raise
        return [], False  # moved away
    return sorted(n for n in names if n[0] not in "._"), any(n[0] == "_" and n != "_schema" for n in names)


def _is_named(folder: Path) -> bool:
    """Whether its name begins as the views' patterns want it."""
    return "0" <= folder.name[0] <= "9"


def _seen(log_root: Path, name: str, readable: set[Path]) -> _Run:
    """What is in a folder of the log, of which `readable` are known to be."""
    folder, now = log_root / name, time.time_ns()
    sign = sign_of(folder)
    signs = {folder: sign}
    can_list = True
    try:
        run = _found(log_root, folder, readable)
    except OSError as error:
        if is_shortage(error):
            raise
        run = _Run(wrong=Path(error.filename or folder)) if _is_named(folder) else _Run()
        can_list = run.wrong != folder  # a disk that is there again is no change of the folder
    if run.wrong and not folder.is_dir():  # deleted meanwhile
        return _Run()
    for path in [run.wrong, *run.parts] if run.wrong else run.parts:
        signs |= {p: sign_of(p) for p in (path, *(path / f"{table}.parquet" for table in TABLES))}
    run.signs, run.is_settled = signs, can_list and sign is not None and now - sign[-1] > SETTLED_NS
    return run


def _found(log_root: Path, folder: Path, readable: set[Path]) -> _Run:
    """Raises `OSError` for what makes it no run that can be read."""
    run, loss = folder / "run.parquet", folder / "loss.parquet"
    if not any(name == run.name or MANIFEST_NAME.fullmatch(name) for name in os.listdir(folder)):  # no run
        return _Run()
    if not _is_named(folder):  # no pattern of the views finds it; a link is but a short way to a run
        return _Run() if folder.is_symlink() else _Run(folder)
    if folder.is_symlink() or "\\" in folder.name:  # would be counted twice; or no pattern of DuckDB finds it
        return _Run(folder)
    if _as_text(folder) != str(folder):  # no pattern of DuckDB passes over it
        raise UserError(f"the name of {_as_text(folder)} is no UTF-8: rename it, or move it away")
    found = counted(folder)
    if wrong := next((path for path in (run, *manifests_of(folder)) if not is_sound(path, log_root)), None):
        return _Run(wrong)
    steps = [*found.merged, *found.single]
    gone = [s for s in steps if is_broken(s.path) or not ((s.path in readable and s.path.is_dir()) or is_readable(s))]
    if gone:
        now = counted(folder)  # others may have been merged and removed meanwhile
        gone = [s for s in gone if s in (*now.merged, *now.single)]
    if found.epoch < 0 and gone:  # views open all files of format 1 at once
        return _Run(gone[0].path)
    parts = {s.path for s in gone}
    has_loss = is_sound(loss, log_root)
    whole = [s for s in steps if s.path not in parts]
    names = {
        "run": [run.name],
        "loss": [loss.name] if has_loss else [],
        "manifest": [f"manifest-{8 * '[0-9]'}.parquet"] if found.epoch >= 0 else [],
        "older_single": [s.path.name for s in whole if s.format == 1 and not s.merged],
        "older_merged": [s.path.name for s in whole if s.format == 1 and s.merged],
    }
    return _Run(
        parts=parts if has_loss or not os.path.lexists(loss) else parts | {loss},
        passed_over={s.path for s in superseded(folder, found) if is_broken(s.path) or not is_readable(s)},
        names=names,
        readable={s.path for s in whole},
        is_older=any(s.format < FORMAT for s in steps),
    )


def _state(log_root: Path, found: dict[str, _Run], foreign: bool) -> State:
    state = State(
        runs={name: run.wrong for name, run in found.items() if run.wrong},
        parts={part for run in found.values() for part in run.parts},
        passed_over={part for run in found.values() for part in run.passed_over},
        older=[name for name, run in found.items() if run.is_older],
        folders=sum(len(run.readable) for run in found.values()),
    )
    if foreign or state.left_out() or state.passed_over:
        for kind, of_schema in _KINDS.items():
            files = [f"{pattern_of(log_root / run)}/{name}" for run in found for name in found[run].names.get(kind, ())]
            state.kept[kind] = [f"{pattern_of(log_root)}/_schema/{of_schema}", *files]
    return state


def tell_of_state(log_root: Path) -> None:
    """Say, once a process, which parts no view can show, and which runs have steps of an older format."""
    state = look(log_root)
    if told := state.told():
        _say(told)
    if state.older:
        some = ", ".join(state.older[:3]) + (" …" if len(state.older) > 3 else "")
        _say(
            f"{len(state.older)} runs have steps of a format before {FORMAT}; columns that these lack are null: {some}"
        )


def set_aside(connection: duckdb.DuckDBPyConnection, log_root: Path) -> bool:
    """Have the views of a connection pass over what can't be read; whether that is news to it."""
    state = state_of(log_root)
    out = [*(run for run in state.runs if _is_named(Path(run))), *sorted(map(str, state.parts | state.passed_over))]
    wanted = {"log_left_out": out or None} | {f"log_{kind}_files": state.kept.get(kind) for kind in _KINDS}
    known = connection.execute(f"select {', '.join(map(_variable, wanted))}").fetchall()
    if known == [tuple(wanted.values())]:
        return False
    for name, value in wanted.items():
        if value:
            connection.execute(f"set variable {name} = ?", [value])
        else:
            connection.execute(f"reset variable {name}")
    if told := state.told():
        _say(told)
    return True


def _variable(name: str) -> str:
    return f"getvariable('{name}')"


def look_again(log_root: Path, run_id: str) -> None:
    """Look at a run whose folder could not be listed, which is no change of it."""
    _looked(log_root, again=(run_id,))


def find_broken(log_root: Path, said: str, anywhere: bool, within_s: float) -> None:
    """Look closer at the runs whose files an error of DuckDB names.

    `anywhere`: at those of all runs, newest first, where it names none, as of damaged pages it does; for `within_s` seconds.
    """
    there, _ = _names(log_root)
    said = unescaped(said)
    named = {run for run in there if f"/{run}/" in said}
    if not named and anywhere:
        named = set(there)
    look_closer(log_root, named, within_s)


def look_closer(log_root: Path, runs: Collection[str], within_s: float) -> None:
    """Look at each value of the settings and of the steps of these runs; for `within_s` seconds."""
    end = time.monotonic() + within_s
    with connect(threads=1) as reader:
        for folder in (log_root / run_id for run_id in sorted(runs, reverse=True)):
            with suppress(OSError):  # of a run that can't be listed, as `state_of` sees too
                for path in _broken_parts(folder, reader, end):
                    note_broken(path)
    _looked(log_root, again=runs)


def _broken_parts(folder: Path, reader: duckdb.DuckDBPyConnection, end: float) -> Iterator[Path]:
    """Files and folders of steps of a run that can't be read, as far as is found before `end`."""
    for file in (folder / "run.parquet", folder / "loss.parquet", *manifests_of(folder)):
        if file.exists() and not is_broken(file) and not is_decoded(file, reader, end):
            yield file
    now = counted(folder)
    for steps in (*now.merged, *now.single, *superseded(folder, now)):
        if time.monotonic() > end:
            return
        if not is_broken(steps.path) and is_readable(steps) and not is_whole(steps, reader, end):
            yield steps.path


def _say(text: str) -> None:
    if text not in _said:
        _said.add(text)
        _log.warning(one_line(text))
