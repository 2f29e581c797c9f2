"""Files and folders that are there whole or not at all, and locks that end with the process that holds them."""

import errno
import os
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from oracle.base.errors import Busy, UserError

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


def check_readable(path: str | Path) -> None:
    """Raises `UserError` for what is no file that can be read to its end: a pipe would wait, a device give for ever."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            open(path, "rb").close()
            return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot read {str(path)!r}: {reason}; check the path and its permissions") from None
    if stat.S_ISDIR(mode):
        raise UserError(f"{path} is a folder: name the files in it")
    raise UserError(f"{path} is not a regular file: save what it gives to a file first")


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
    _check_place(target, overwrite)
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


def check_writable(target: str | Path, *, overwrite: bool = True, inputs: Iterable[str | Path] = ()) -> None:
    """Raises `UserError` where `written_whole` would, before any work is done; and for what a person can't mean to replace:
    one of the `inputs`, a DuckDB file such as the store, a file of a run log."""
    target = Path(target)
    _check_place(target, overwrite)
    place = Path(os.path.realpath(target))
    if read := next((path for path in inputs if _is_same(place, path)), None):
        raise UserError(f"cannot write {target}: {read} is read from there; choose another name")
    if place.is_file() and is_database(place):
        raise UserError(f"cannot write {target}: that is a DuckDB file, such as a store; choose another name")
    if log := log_around(place):
        raise UserError(f"cannot write {target}: {log} is a run log; choose another folder")


def is_database(path: Path) -> bool:
    """Whether a file begins as DuckDB's do."""
    with suppress(OSError), open(path, "rb") as file:
        return file.read(12)[8:] == b"DUCK"
    return False


def log_around(path: str | Path) -> Path | None:
    """The run log in whose folder a path lies; null for any other path."""
    place = Path(os.path.realpath(path))
    return next((folder for folder in place.parents if (folder / "_schema").is_dir()), None)


def _is_same(place: Path, path: str | Path) -> bool:
    with suppress(OSError, ValueError):
        return os.path.samefile(place, path)
    return False


def _check_place(target: Path, overwrite: bool) -> None:
    place = Path(os.path.realpath(target))
    try:
        place.exists()
    except OSError as error:  # of a name that no file may have
        raise UserError(f"cannot write {str(target)[:100]}: {error.strerror}; choose another name") from None
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


@contextmanager
def reserved(target: str | Path, size: int) -> Iterator[None]:
    """Hold `size` bytes of the disk for `target` meanwhile, where the system can; its folder need not be there.

    Raises `UserError` where there aren't so many.
    """
    if not hasattr(os, "posix_fallocate"):
        yield
        return
    held = beside(next(parent for parent in Path(target).absolute().parents if parent.exists()) / "held")
    try:
        try:
            with open(held, "wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(size, 1))
        except OSError as error:
            raise UserError(f"cannot write {target}: {error.strerror}; free {size / 1e6:.1f} MB there") from None
        yield
    finally:
        held.unlink(missing_ok=True)


def check_can_be_made(target: str | Path, inputs: Iterable[str | Path] = ()) -> None:
    """Raises `UserError` where a file, with the folders that it needs, can't be made at `target`, or as `check_writable`."""
    target = Path(target)
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise UserError(f"cannot write {target}: {folder} is no folder that can be written; name another")
    if target.absolute().parent == folder:
        check_writable(target, inputs=inputs)


def version_of(path: str | Path) -> tuple[int, int, int]:
    """What changes with a file, or where another takes its place, whose time alone may be the same: inode, size, time (ns)."""
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns


def left_beside(path: str | Path) -> list[Path]:
    """The files beside a DuckDB file in which its last writes are, until they are in the file itself; none where all is in it."""
    names = (f"{path}.wal", f"{path}.wal.checkpoint", f"{path}.wal.recovery")
    return [Path(name) for name in names if os.path.lexists(name)]


def version_of_store(path: str | Path) -> tuple[int, ...]:
    """`version_of` a DuckDB file and of what is `left_beside` it."""
    versions: tuple[int, ...] = version_of(path)
    for file in left_beside(path):
        with suppress(FileNotFoundError):
            versions += version_of(file)
    return versions


def absolute(path: str | Path) -> Path:
    """The absolute path, without "..": DuckDB's patterns take "link/.." for nothing, wherever the link leads."""
    path = Path(path).absolute()
    behind = len(path.parts) - path.parts[::-1].index("..") if ".." in path.parts else 0
    return Path(os.path.realpath(Path(*path.parts[:behind])), *path.parts[behind:]) if behind else path


def is_there(path: str | Path) -> bool:
    """Whether there is such a file, folder or link. Raises `OSError` where that can't be seen, which `os.path` takes for no."""
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise
        return False
    return True


BESIDE = {".log", ".index", ".answers", ".rejects"}
"""The endings of the folders beside a store, each of which has the store's name with this in place of its own ending."""


def log_root(path: str | Path) -> Path:
    """Where the run log of a store is: beside it, `store.duckdb` -> `store.log`.

    Of a symbolic link it is the log beside the link, where there is one, else that of the store to which it leads.
    """
    path = Path(path)
    if not path.name:
        raise UserError(f"store {str(path)!r}: expected the path of a file")
    root = path.with_suffix(".log")
    return root if not path.is_symlink() or root.exists() else Path(os.path.realpath(path)).with_suffix(".log")


def alias_files(path: str | Path) -> list[Path]:
    """Where the decisions about a store's titles are: the file of an older name, only read, and the one that is written.

    `store.duckdb` -> `store.aliases.jsonl`, `store.duckdb.aliases.jsonl`. Of a symbolic link they are beside the link, where there
    are any, else beside the store to which it leads, as its log is.
    """
    path = absolute(path)
    files = _alias_files(path)
    if path.is_symlink() and not any(map(os.path.lexists, files)):
        return _alias_files(Path(os.path.realpath(path)))
    return files


def _alias_files(path: Path) -> list[Path]:
    return list(dict.fromkeys((path.with_suffix(".aliases.jsonl"), path.with_name(path.name + ".aliases.jsonl"))))


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
        Busy: another process has it; `busy` says of what, and its number is added where it can be known.
        OSError: the file can't be made.
    """
    lock = FileLock(str(path), timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise Busy(f"{busy} by another process{_number(path)}: try again when that is done") from None
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
