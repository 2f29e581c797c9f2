"""Files and folders that are there whole or not at all, and locks that end with the process that holds them."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from oracle.base.errors import UserError

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextmanager
def written_whole(target: str | Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Yield a free path beside `target`; what is written there takes the place of `target` at the end, in one move.

    An exception, a full disk or a kill leaves `target` as it was. A symbolic link stays, and what it leads to is
    replaced. The folder must be there.

    Raises:
        UserError: the folder isn't there or can't be written, `target` is a folder, or is there and `overwrite` is false.
    """
    target = Path(target)
    place = Path(os.path.realpath(target))
    check_writable(target, overwrite=overwrite)
    part = beside(place)
    try:
        yield part
        sync(part)
        os.replace(part, place)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def check_writable(target: str | Path, *, overwrite: bool = True) -> None:
    """Raises `UserError` where `written_whole` would, before any work is done."""
    target = Path(target)
    place = Path(os.path.realpath(target))
    if place.is_dir():
        raise UserError(f"cannot write {target}: that is a folder, expected the name of a file")
    if place.exists() and not place.is_file():
        raise UserError(f"cannot write {target}: that is no plain file, expected a name that is free")
    if place.exists() and not overwrite:
        raise UserError(f"{target} exists: choose another name, or say --overwrite")
    if not place.parent.is_dir():
        raise UserError(f"cannot write {target}: there is no folder {place.parent}; make it, or choose another name")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {target}: no permission to write in {place.parent}; choose another folder")


def beside(path: Path) -> Path:
    """A free path in the same folder, hidden, and no longer than a file's name may be."""
    return path.with_name(f".{uuid.uuid4().hex}.tmp")


def sync(path: Path) -> None:
    """Have a file's bytes, or a folder's entries, on disk."""
    if path.is_dir():
        with suppress(OSError):  # some shared folders can't, and Windows not at all
            _sync(path, os.O_RDONLY)
    else:
        _sync(path, os.O_RDWR)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def hold(path: str | Path, busy: str) -> FileLock:
    """Take the lock that the file at `path` stands for, at once or not at all; give it back with `release()`.

    It ends with the process, however that ends. Where a shared folder has no locks, nobody is kept out.

    Raises:
        UserError: another process has it; `busy` says of what, and its number is added where it can be known.
        OSError: the file can't be made.
    """
    lock = FileLock(str(path), timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{busy} by another process{_number(path)}: try again when that is done") from None
    except NotImplementedError:
        pass
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return lock


def _number(path: str | Path) -> str:
    """ " (process 1234)", the one that holds a lock, where the system lists locks."""
    with suppress(OSError, ValueError, IndexError):
        inode = os.stat(path).st_ino
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()  # 1: FLOCK ADVISORY WRITE 1234 fe:00:5678 0 EOF
            if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
                return f" (process {fields[4]})"
    return ""
