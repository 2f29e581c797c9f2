"""Whether the files of a run can be read: their ends at once, their columns and values where there is reason to look closer.

What is asked where the machine lacks memory, threads or open files raises that error: it is no answer.
"""

import os
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from oracle.base.advice import is_shortage
from oracle.base.database import pattern_of
from oracle.base.errors import UserError
from oracle.log.folders import FORMAT, MANIFEST, MANIFEST_NAME, Steps, is_parquet, left_out
from oracle.log.run_row import MOST_SETTINGS, is_run
from oracle.log.schema import COMPLETIONS, LOSS, RUN, VERDICTS

_COLUMNS = {"completions": COMPLETIONS, "verdicts": VERDICTS}
_SUMS = ("rank_sums", "trait_sums")
TABLES = (*_COLUMNS, *_SUMS)
_broken: dict[Path, tuple] = {}  # what ends as Parquet does and isn't any (folders of steps, files) -> how it was then


def is_readable(steps: Steps) -> bool:
    """Whether a folder of steps has its files, each of them whole as far as their ends tell."""
    files = [steps.path / f"{name}.parquet" for name in _names(steps)]
    linked = any(map(os.path.islink, (steps.path, *files)))
    return all(map(is_parquet, files)) and not (linked and not all(_is_within(f, steps.path.parents[1]) for f in files))


def _names(steps: Steps) -> tuple[str, ...]:
    return (*_COLUMNS, *(_SUMS if steps.merged else ()))


def has_its_columns(steps: Steps) -> bool:
    """Whether the files of a folder of steps have the columns of their tables, and no others."""
    schema = steps.path.parent.parent / "_schema" / f"steps-00000000-00000000-e00000000-f{FORMAT}"
    try:
        for name in _names(steps):
            expected = _COLUMNS.get(name) or pq.read_schema(schema / f"{name}.parquet")
            with pq.ParquetFile(steps.path / f"{name}.parquet") as parquet:
                if not _fits(parquet.schema_arrow, expected, whole=steps.format == FORMAT):
                    return False
                if not steps.merged and not _holds_only(parquet, steps.steps[0]):
                    return False
    except (OSError, ValueError, pa.ArrowException) as error:
        if is_shortage(error):
            raise
        return False
    return True


def _holds_only(parquet: pq.ParquetFile, step: int) -> bool:
    """Whether a file's rows are of one step, as far as its statistics tell: a merge takes no others."""
    at = parquet.schema_arrow.names.index("step")
    groups = [parquet.metadata.row_group(n).column(at).statistics for n in range(parquet.metadata.num_row_groups)]
    return all(s is None or not s.has_min_max or s.min == s.max == step for s in groups)


def is_whole(steps: Steps, reader: duckdb.DuckDBPyConnection, end: float) -> bool:
    """Whether each value of a folder's files can be read, as the type that its column has; as far as is seen before `end`."""
    return has_its_columns(steps) and all(
        is_decoded(steps.path / f"{name}.parquet", reader, end) for name in _names(steps)
    )


def is_decoded(file: Path, reader: duckdb.DuckDBPyConnection, end: float) -> bool:
    """Whether DuckDB, by which the views read, can read each value of a file; as far as is seen before `end` (monotonic)."""
    try:
        rows = reader.sql("from read_parquet(?, hive_partitioning = false)", params=[pattern_of(file)])
        batches = rows.to_arrow_reader(2048)
        while time.monotonic() < end and next(batches, None) is not None:
            pass
    except (duckdb.Error, OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        return is_shortage(error) or not file.exists()
    return True


def note_broken(path: Path) -> None:
    """Remember that a folder of steps, or a file, was found broken: until it changes."""
    _broken[path] = _signs(path)


def is_broken(path: Path) -> bool:
    return path in _broken and _broken[path] == _signs(path)


def _signs(path: Path) -> tuple:
    return tuple(sign_of(p) for p in (path, *(path / f"{name}.parquet" for name in TABLES)))


def manifests_of(folder: Path) -> list[Path]:
    return [folder / name for name in os.listdir(folder) if MANIFEST_NAME.fullmatch(name)]


def is_sound(path: Path, log_root: Path) -> bool:
    """Whether a file that all views open is small Parquet within the log, with columns of the right types."""
    expected = {"run.parquet": RUN, "loss.parquet": LOSS}.get(path.name, MANIFEST)
    try:
        os.stat(path)
        if not is_parquet(path):
            os.stat(path)  # removed meanwhile?
            return False
        if not _is_within(path, log_root) or is_broken(path):
            return False
        with pq.ParquetFile(path) as parquet:
            if not _fits(parquet.schema_arrow, expected, whole=expected is not RUN):
                return False
            if expected is not RUN:
                return True
            groups = [parquet.metadata.row_group(n) for n in range(parquet.metadata.num_row_groups)]
            if parquet.metadata.num_rows != 1 or sum(g.total_byte_size for g in groups) > MOST_SETTINGS:
                return False
            return is_run(parquet.read())
    except FileNotFoundError:
        return MANIFEST_NAME.fullmatch(path.name) is not None  # removed since it was listed
    except (OSError, ValueError, pa.ArrowException) as error:
        if is_shortage(error):
            raise
        return False


def check_run(folder: Path) -> None:
    """Raises `UserError` where the settings of a run can't be read: nothing is added to it then, and nothing merged."""
    if not is_sound(run := folder / "run.parquet", folder.parent):
        raise left_out(folder.name, run)


def check_loss(folder: Path) -> None:
    """Raises `UserError` where there is a loss.parquet that can't be read: it would be replaced, with all that it holds."""
    if os.path.lexists(loss := folder / "loss.parquet") and not is_sound(loss, folder.parent):
        raise UserError(f"cannot go on with run {folder.name}: {loss} can't be read; bring it back, or move it away")


def _is_within(path: Path, log_root: Path) -> bool:
    return path.resolve().is_relative_to(log_root.resolve())


def _fits(schema: pa.Schema, expected: pa.Schema, whole: bool) -> bool:
    """Whether all columns are known ones, of their types; `whole`: and none is missing."""
    names = schema.names
    if len(set(names)) < len(names) or (whole and set(names) < set(expected.names)):
        return False
    return all(name in expected.names and schema.field(name).type == expected.field(name).type for name in names)


def sign_of(path: Path) -> tuple | None:
    """What changes with a file or folder, its owner and permissions included; null: there is none that can be seen."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return seen.st_ctime_ns, seen.st_mode, seen.st_ino, seen.st_size, seen.st_mtime_ns
