"""What of a log can't be read: left out of every figure, so that one broken run breaks no other, and always told.

A view opens the files of all runs at once, so a run whose settings are no Parquet, or have columns of other types, would break
it for all. Such runs, and steps, are found here, and `set_aside` has the views of a connection pass them over:

    run.parquet or a manifest can't be read      the whole run is left out
    a step lacks a file, or has a broken one     that folder is
    loss.parquet can't be read                   that file is
"""

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from oracle.base.errors import UserError
from oracle.base.printable import one_line
from oracle.log.folders import FORMAT, counted
from oracle.log.sound import is_broken, is_decoded, is_readable, is_sound, is_whole, manifests_of, note_broken, sign_of

PATIENCE_S = 20.0  # of a search for what is damaged
_NAMED = re.compile(
    r"/([^/\n\"']+)/(?:(?:[^/\n\"']+)/(?:completions|verdicts|rank_sums|trait_sums)|run|loss|manifest-\d{8})\.parquet"
)

_DIGITS = 8 * "[0-9]"
_KINDS = {  # what views open all at once: as a pattern in the folder of a run, and in _schema
    "run": ("run.parquet", "run.parquet"),
    "loss": ("loss.parquet", "loss.parquet"),
    "manifest": (f"manifest-{_DIGITS}.parquet", "manifest-00000000.parquet"),
    "older_single": (f"step-{_DIGITS}", "step-00000000"),
    "older_merged": (
        f"steps-{_DIGITS}-{_DIGITS}-{10 * '[0-9]'}-9999999999",
        "steps-00000000-00000000-0000000000-9999999999",
    ),
}
_log = logging.getLogger(__name__)
_said: set[str] = set()


@dataclass
class State:
    """Of a log, as this process saw it last."""

    runs: dict[str, Path] = field(default_factory=dict)  # left out -> the file that is wrong
    parts: set[Path] = field(default_factory=set)  # folders of steps, and files of losses, that are left out
    kept: dict[str, list[str]] = field(default_factory=dict)  # kind of file -> patterns, where something is left out
    older: list[str] = field(default_factory=list)  # runs with steps of an older format
    signs: dict[Path, tuple | None] = field(default_factory=dict)  # of the log and of what is wrong: how these were

    def left_out(self) -> list[Path]:
        return [*self.runs.values(), *sorted(self.parts)]

    def told(self) -> str | None:
        """What is left out, in a line; null: nothing is."""
        if not (wrong := self.left_out()):
            return None
        some = ", ".join(map(_as_text, wrong[:3])) + (" …" if len(wrong) > 3 else "")
        return (
            f"{len(wrong)} parts of the log can't be read, and are in no figure and no export (bring them back, or move them "
            f"away): {some}"
        )


def _as_text(path: Path) -> str:
    """With a mark for what is no UTF-8."""
    return os.fsencode(path).decode(errors="replace")


_states: dict[Path, State] = {}


def state_of(log_root: Path) -> State:
    """As it was seen last, unless runs have come or gone since, or what was wrong has changed."""
    known = _states.get(log_root)
    if known is None or any(sign_of(path) != sign for path, sign in known.signs.items()):
        return look(log_root)
    return known


def look(log_root: Path) -> State:
    """Look at each run's settings and manifests, and at the ends of the files of each step that counts.

    Raises:
        UserError: a run whose name is no UTF-8.
    """
    state = State(signs={log_root: sign_of(log_root)})
    kept: dict[str, list[Path]] = {kind: [] for kind in _KINDS}
    for folder in sorted(log_root.glob("[0-9]*")):
        run, loss = folder / "run.parquet", folder / "loss.parquet"
        if not os.path.lexists(run) and not any(folder.glob("manifest-*.parquet")):  # no run
            continue
        if _as_text(folder) != str(folder):  # no pattern of DuckDB passes over it
            raise UserError(f"the name of {_as_text(folder)} is no UTF-8: rename it, or move it away")
        try:
            found = counted(folder)
            wrong = next((path for path in (run, *manifests_of(folder)) if not is_sound(path, log_root)), None)
        except OSError as error:
            wrong = Path(error.filename or folder)
        if wrong and not folder.is_dir():  # deleted meanwhile
            continue
        if wrong:
            state.runs[folder.name] = wrong
            continue
        steps = [*found.merged, *found.single]
        state.older += [folder.name] if any(s.format < FORMAT for s in steps) else []
        gone = [s for s in steps if not is_readable(s) or is_broken(s.path)]
        if gone:
            now = counted(folder)  # others may have been merged and removed meanwhile
            gone = [s for s in gone if s in (*now.merged, *now.single)]
        if found.epoch < 0 and gone:  # views open all files of format 1 at once
            state.runs[folder.name] = gone[0].path
            continue
        state.parts |= {s.path for s in gone}
        if os.path.lexists(loss) and not is_sound(loss, log_root):
            state.parts.add(loss)
        elif loss.exists():
            kept["loss"].append(folder)
        kept["manifest"] += [folder] if found.epoch >= 0 else []
        kept["older_single"] += [folder] if any(s.format == 1 for s in found.single) else []
        kept["older_merged"] += [folder] if any(s.format == 1 for s in found.merged) else []
        kept["run"].append(folder)
    if state.left_out():
        for kind, (name, of_schema) in _KINDS.items():
            folders = [f"{pattern_of(folder)}/{name}" for folder in kept[kind]]
            state.kept[kind] = [f"{pattern_of(log_root)}/_schema/{of_schema}", *folders]
    for path in state.left_out():
        state.signs |= {
            p: sign_of(p) for p in (path, *(path / f"{name}.parquet" for name in ("completions", "verdicts")))
        }
    _states[log_root] = state
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
    out = [*state.runs, *sorted(map(str, state.parts))]
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


def find_broken(log_root: Path, said: str, anywhere: bool) -> None:
    """Look closer at the runs whose files an error of DuckDB names: at each value of their settings and of their steps.

    `anywhere`: at those of all runs, newest first, where it names none, as of damaged pages it does; for `PATIENCE_S` seconds.
    """
    named = set(_NAMED.findall(said)) - {"_schema"}
    if not named and anywhere:
        named = {path.name for path in log_root.glob("[0-9]*")}
    end = time.monotonic() + PATIENCE_S
    for folder in (log_root / run_id for run_id in sorted(named, reverse=True)):
        with suppress(OSError):  # of a run that can't be listed, as `look` sees too
            for path in _broken_parts(folder, end):
                note_broken(path)
    look(log_root)


def _broken_parts(folder: Path, end: float) -> Iterator[Path]:
    """Files and folders of steps of a run that can't be read, as far as is found before `end`."""
    for file in (folder / "run.parquet", folder / "loss.parquet"):
        if file.exists() and not is_broken(file) and not is_decoded(file):
            yield file
    now = counted(folder)
    for steps in (*now.merged, *now.single):
        if time.monotonic() > end:
            return
        if not is_broken(steps.path) and is_readable(steps) and not is_whole(steps):
            yield steps.path


def pattern_of(path: Path) -> str:
    """The path as part of a pattern of files, in which it stands for itself."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def _say(text: str) -> None:
    if text not in _said:
        _said.add(text)
        _log.warning(one_line(text))
