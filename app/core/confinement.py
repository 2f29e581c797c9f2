"""Taking power from this process, for good: after `confine` the system lets it write no file and open no connection.

On Linux by Landlock (from 5.13 on; connections from 6.7 on): https://docs.kernel.org/userspace-api/landlock.html. Where there
is none, a limit on the size of written files is left, so that what a file holds can't be replaced by anything.
"""

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import duckdb
import numpy
import pyarrow as pa

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # system calls, the same on every processor
_NO_NEW_PRIVILEGES = 38  # of prctl
_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER, _EXECUTE = 1 << 2, 1 << 3, 1 << 0
_FILE_RIGHTS = (13, 14, 15, 15, 16)  # how many rights on files each version of Landlock knows, from version 1
_CONNECT_AND_BIND = 0b11  # from version 4


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def confine(readable: Iterable[Path], listable: Iterable[Path] = ()) -> bool:
    """Let this process, and the threads that it begins from now on, read `readable` and Python's own files, list the names in
    `listable`, and write nothing.

    Returns whether the system enforces this; without Landlock it is only a limit of 0 bytes on files.
    """
    with suppress(ImportError):  # Windows has none
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    all_rights = (1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1
    rules = _Ruleset(all_rights, _CONNECT_AND_BIND if version >= 4 else 0)
    size = ctypes.sizeof(rules) if version >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for path in {*_of_python(), *readable}:
            _allow(libc, ruleset, path, _READ_FILE | _READ_FOLDER)
        for path in listable:
            _allow(libc, ruleset, path, _READ_FOLDER)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    with suppress(OSError):  # not there, so nothing to read
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = _Beneath(rights if path.is_dir() else rights & ~_READ_FOLDER, handle)
            libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(handle)


def _of_python() -> set[Path]:
    """Where modules that are imported later lie, and what they and DuckDB look at."""
    packages = Path(__file__).parents[2]
    ours = [packages / name for name in ("app", "data", "oracle", "sql")]
    # A user's own site-packages, say, which are no part of Python's folders.
    theirs = [Path(str(package.__file__)).parents[1] for package in (duckdb, numpy, pa)]
    system = ["/usr", "/lib", "/lib64", "/etc/localtime", "/etc/ld.so.cache"]
    memory = ["/proc/self/cgroup", "/proc/meminfo", "/sys/fs/cgroup"]  # how much of it there is
    return {*ours, *theirs, Path(sys.prefix), Path(sys.base_prefix), *map(Path, system + memory)}
