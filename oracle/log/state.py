"""What of a log can't be shown, said instead of being left out in silence."""

import logging
import os
from pathlib import Path

from oracle.base.printable import one_line
from oracle.log.folders import FORMAT, Steps, counted, is_parquet

_log = logging.getLogger(__name__)
_said: set[str] = set()


def tell_of_state(log_root: Path) -> None:
    """Say, once a process, which parts no view can show, and which runs have steps of an older format."""
    older, unreadable = [], []
    for folder in sorted(log_root.glob("[0-9]*")):
        run, loss = folder / "run.parquet", folder / "loss.parquet"
        if not os.path.lexists(run):  # no run
            continue
        try:
            found = counted(folder)
        except OSError as error:
            unreadable.append(error.filename or folder)
            continue
        steps = [*found.merged, *found.single]
        older += [folder.name] if any(s.format < FORMAT for s in steps) else []
        if wrong := [s for s in steps if not is_readable(s)]:
            now = counted(folder)  # others may have been merged and removed meanwhile
            unreadable += [s.path for s in wrong if s in (*now.merged, *now.single)]
        unreadable += [file for file in (run, loss) if os.path.lexists(file) and not is_parquet(file)]
    if unreadable:
        some = ", ".join(str(path) for path in unreadable[:3]) + (" …" if len(unreadable) > 3 else "")
        _say(
            f"{len(unreadable)} parts of the log can't be read, and are in no figure and no export (bring them back, or move "
            f"them away): {some}"
        )
    if older:
        some = ", ".join(older[:3]) + (" …" if len(older) > 3 else "")
        _say(f"{len(older)} runs have steps of a format before {FORMAT}; columns that these lack are null: {some}")


def is_readable(steps: Steps) -> bool:
    """Whether a folder of steps has its files, each of them whole as far as their ends tell."""
    names = ("completions", "verdicts", *(("rank_sums", "trait_sums") if steps.merged else ()))
    return all(is_parquet(steps.path / f"{name}.parquet") for name in names)


def _say(text: str) -> None:
    if text not in _said:
        _said.add(text)
        _log.warning(one_line(text))
