"""Taking a folder out of the log: at once for those who list it, then its files, as far as they can be removed."""

import errno
import os
import shutil
import uuid
from pathlib import Path

from filelock import FileLock

from oracle.base.errors import UserError
from oracle.log.folders import told_plainly

DELETED = ".deleted.parquet"  # the settings of a run that was deleted in place, and of which some is there


def remove_run(folder: Path, lock: FileLock) -> None:
    """Remove a run that the caller holds by `lock`, and let go of it.

    Raises `UserError` where it can't be removed, and stays; and where it is no longer in the log, and some of its files remain.
    """
    try:
        with told_plainly(f"cannot delete run {folder.name}"):
            remaining = remove_folder(folder, lock)
    finally:
        lock.release()
    if remaining:
        raise UserError(
            f"run {folder.name} is deleted from the log, but these files remain: {remaining}; "
            "remove them as the user who owns them"
        )


def remove_folder(folder: Path, lock: FileLock | None = None) -> str | None:
    """Remove a folder: at once for those who list it, then its files; what remains of these. Of a link, the link alone.

    The lock of a run is released in between: some file systems (NFS, FUSE) keep a folder while a file in it is open.
    """
    if folder.is_symlink():
        folder.unlink()
        return None
    gone = folder.with_name(f".gone-{uuid.uuid4().hex}")
    try:
        os.rename(folder, gone)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return _remove_in_place(folder, lock)
    if lock:
        lock.release()
    return remove_files(gone)


def _remove_in_place(folder: Path, lock: FileLock | None) -> str | None:
    """The same on overlayfs, which moves no folder of a layer below (an image's): a run without its settings is none."""
    if not lock:  # steps that count no more
        return remove_files(folder)
    os.rename(folder / "run.parquet", folder / DELETED)
    lock.release()
    return remove_rest(folder)


def remove_rest(folder: Path) -> str | None:
    """Remove what is there of a run that was deleted in place; what remains, as `remove_files` tells it.

    In the order of names: manifests, by which steps count, go before these, and the one that holds is the last of them. The mark
    of the deletion goes at the very end, so that the next one finds what remains.
    """
    others = sorted(path for path in folder.iterdir() if path.name != DELETED)
    remaining = [told for path in others if (told := remove_files(path))]
    return remaining[0] if remaining else remove_files(folder)


def remove_files(path: Path) -> str | None:
    """Remove a file, a link, or of a folder all that can be removed. What remains: its path, and what can't be removed there and
    why; null: nothing."""
    failed: list[tuple[str, OSError]] = []

    def note(_: object, name: str, error: tuple) -> None:
        failed.append((name, error[1]))

    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, onerror=note)
        else:
            path.unlink()
    except OSError as error:
        failed.append((str(path), error))
    there = [(name, why) for name, why in failed if not isinstance(why, FileNotFoundError)]
    if not (there and os.path.lexists(path)):  # another process removes it too
        return None
    name, why = there[0]  # the folders around it are not empty for that
    return f"{path} ({os.path.relpath(name, path)}: {why.strerror or why})"
