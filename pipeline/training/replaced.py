"""Models and notes in the folder of a run, there whole or as they were before, whenever the run is killed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oracle.base.files import written_whole

if TYPE_CHECKING:
    from accelerate import PartialState


def note(file: Path, text: str) -> None:
    """Write a small file. Raises `UserError` where it can't be; it is as it was then."""
    with written_whole(file) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def replaced_folder(folder: Path, process: "PartialState | None" = None) -> Iterator[Path]:
    """Yield a path to save a model at; at the end it takes the place of `folder`. `process`: this one, where all of a run save.

    That takes two moves, old away and new in place. Who is killed between them leaves both; `end_move` does the second.
    """
    new, old = _beside(folder)
    is_first, wait = (process.is_main_process, process.wait_for_everyone) if process else (True, lambda: None)
    if is_first:
        end_move(folder)
        shutil.rmtree(new, ignore_errors=True)  # of a run that was killed while it saved
    wait()
    yield new
    wait()
    if is_first:
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    wait()


def end_move(folder: Path) -> None:
    """Have `folder` hold what a process that was killed was about to put there."""
    new, old = _beside(folder)
    if old.exists():
        if not folder.exists():
            new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
