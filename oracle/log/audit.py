"""A connection for people who audit: the log's views and the store's tables, with nothing to break."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb

from oracle.base import files
from oracle.base.database import ATTEMPTS, connect, copied, pattern_of
from oracle.base.errors import UserError, first_line
from oracle.base.store_format import check_format
from oracle.log.decisions import readable_as, use_alias_files, use_same_alias_files
from oracle.log.macros import quoted
from oracle.log.state import set_aside, tell_of_state
from oracle.log.views import create_log_views

SEARCH_PATH = "set search_path = 'memory.main,store.main'"


def open_audit(
    store_path: str | Path,
    log_root: str | Path | None = None,
    *,
    locked: bool = True,
    threads: int | None = None,
    memory: str | None = None,
    copied: bool = False,
) -> duckdb.DuckDBPyConnection:
    """A connection with the log's views and, as they are now, the store's tables (`titles`, `trait_risk` …).

    The store is copied and the copy attached as `store`, so that nobody waits for this connection, nor it for them;
    only the log's views, and what people decide about titles in the file beside the store, are read as they come.

    Args:
        store_path: a store's file. Its log is the folder of the same name with the suffix .log, unless `log_root`.
        locked: allow no file but those of the log, no extension, no setting, no Python variable. Statements that write
            into the log's folder are for `query` to refuse, which takes a SELECT of known parts only.
        threads: of DuckDB; null: all cores.
        memory: what DuckDB may take at most, such as "1GB"; null: most of the machine's.
        copied: `store_path` is a copy that nobody writes to, and needs no further one. The decisions are those beside the copy.

    Raises:
        UserError: no store of this program's format at `store_path`, no room for its copy, or no log can be made beside it.
    """
    store = files.absolute(store_path)
    if not store.is_file():
        raise UserError(f"no store at {store}: build one with pipeline/prepare.py, or name another")
    root = files.absolute(log_root) if log_root else files.log_root(store)
    connection = connect(threads=threads)
    connection.execute("set global timezone = 'UTC'")
    if memory:
        connection.execute("set memory_limit = ?", [memory])
    if copied:
        _attach(connection, store)
    else:
        _attach_copy(connection, store)
    check_format(connection, store, "store.store_info")
    connection.execute(SEARCH_PATH)
    create_log_views(connection, root, "titles/candidates")
    tell_of_state(root)
    set_aside(connection, root)
    use_alias_files(connection, store)
    if locked:
        lock_down(connection, root, readable_as(store))
    return connection


def beside(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Another connection to the same audit, as locked as it is, for another thread: each asks one query at a time."""
    other = connection.cursor()
    other.execute(SEARCH_PATH)
    use_same_alias_files(other, connection)
    return other


def lock_down(connection: duckdb.DuckDBPyConnection, log_root: Path, files: Sequence[str] = ()) -> None:
    """Refuse, from now on, every file outside `log_root` but for `files`, extensions, and changes of settings."""
    for setting in (
        "python_enable_replacements = false",
        "temp_directory = ''",
        # DuckDB compares patterns as they are written.
        f"allowed_directories = [{quoted(str(log_root))}, {quoted(pattern_of(log_root))}]",
        f"allowed_paths = [{', '.join(map(quoted, files))}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")


def _attach_copy(connection: duckdb.DuckDBPyConnection, store: Path) -> None:
    """Attach a private copy; once more if another program was writing a checkpoint while the file was copied."""
    for attempt in range(ATTEMPTS):
        with tempfile.TemporaryDirectory() as folder:
            try:
                _attach(connection, copied(store, folder))
                return  # the open file outlives its name
            except OSError as error:
                read = error.filename in map(str, (store, *files.left_beside(store)))
                could_write = read and not error.filename2  # of a failed write, both are named
                do = "" if could_write else " (TMPDIR names another folder)"
                raise UserError(f"cannot copy {store} into {folder}: {error.strerror or error}{do}") from None
            except duckdb.Error as error:
                if attempt == ATTEMPTS - 1:
                    raise UserError(f"{store} is not a store that can be read: {first_line(error)}") from None


def _attach(connection: duckdb.DuckDBPyConnection, store: Path) -> None:
    connection.execute(f"attach {quoted(str(store))} as store (read_only)")
