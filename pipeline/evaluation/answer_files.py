"""Files of answers -> rows: JSON lines, JSON, CSV, Parquet, and inspect's logs."""

import csv
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from oracle import UserError
from oracle.base.columns import repeated
from oracle.base.errors import in_a_line
from oracle.base.files import check_readable
from oracle.base.unpacked import LARGEST, read_parquet, too_large
from pipeline.samples.dataset import json_lines, read_json_lines, read_text

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet", ".eval")
_LISTS = ("samples", "results", "answers", "data", "rows", "outputs")


def read_rows(path: str, largest: int = LARGEST) -> list:
    """The rows of a file of answers, known by its suffix (another one is read as JSON lines), packed by gzip or not.

    `largest`: bytes that it may unpack to.

    Raises:
        UserError: a file that can't be read as such, or unpacks to more.
    """
    file = Path(path)
    check_readable(file)
    try:
        match (Path(file.stem) if file.suffix.lower() == ".gz" else file).suffix.lower():
            case ".eval":
                _check_archive(file, largest)
                return inspect_rows(path)
            case ".parquet":
                _check_columns(path, pq.read_schema(file).names)
                return read_parquet(file, largest).to_pylist()
            case ".csv":
                return _csv_rows(file, largest)
            case ".json":
                return _json_rows(file, path, largest)
            case _:
                return read_json_lines(file, largest)
    except UserError:
        raise
    except (
        OSError,
        EOFError,
        zlib.error,
        ValueError,
        TypeError,
        csv.Error,
        RecursionError,
        pa.ArrowException,
    ) as error:
        reason = in_a_line(error)
        raise UserError(
            f'{path}: expected lines of {{"id": …, "text": …}}, or a {", ".join(SUFFIXES[1:])} file of answers ({reason})'
        ) from None


def _check_columns(path: str, names: Sequence[str]) -> None:
    if twice := repeated(names):
        raise UserError(f"{path}: has several columns of the name {', '.join(twice)[:200]}; rename them")


def _json_rows(file: Path, path: str, largest: int) -> list:
    text = read_text(file, largest)
    try:
        value = json.loads(text)
    except ValueError:
        return json_lines(text)  # lines under another name
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        if "eval" in value and "samples" in value:
            return inspect_rows(path)
        if (key := next((key for key in _LISTS if isinstance(value.get(key), list)), None)) is not None:
            return value[key]
        if value and all(isinstance(answer, str) for answer in value.values()):
            return [{"id": name, "text": answer} for name, answer in value.items()]
        return [value]
    raise ValueError("it is neither a list nor an object")


def _csv_rows(file: Path, largest: int) -> list[dict]:
    csv.field_size_limit(sys.maxsize)
    reader = csv.DictReader(io.StringIO(read_text(file, largest), newline=""), strict=True)
    _check_columns(str(file), reader.fieldnames or [])
    rows = list(reader)
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(f"row {number} has another number of fields than the header")
    return rows


def _check_archive(file: Path, largest: int) -> None:
    """Raises `UserError` for an inspect log that unpacks to more than `largest` bytes."""
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
    except zipfile.BadZipFile as error:
        raise ValueError(f"not an inspect log: {error}") from None
    if size > largest:
        raise too_large(file, largest)


def inspect_rows(path: str) -> list[dict]:
    """Samples of an inspect log: id, epoch, model, the input as prompt, and the completion or the error."""
    try:
        from inspect_ai.log import read_eval_log
    except ImportError:
        raise UserError(
            f"{path}: reading inspect's logs needs inspect_ai; pip install 'safe-rank-grpo[eval]'"
        ) from None
    try:
        log = read_eval_log(path)
    except Exception as error:  # zip, pydantic and JSON errors of its own
        raise ValueError(f"not an inspect log: {in_a_line(error)}") from None
    rows = []
    for sample in log.samples or []:
        prompt = (
            sample.input
            if isinstance(sample.input, str)
            else [{"role": m.role, "content": m.text} for m in sample.input]
        )
        row: dict = {"id": sample.id, "epoch": sample.epoch - 1, "model": log.eval.model, "prompt": prompt}
        if sample.error or not sample.output.choices:
            rows.append({**row, "error": sample.error.message if sample.error else "no answer"})
        else:
            ended = "length" if sample.output.stop_reason == "max_tokens" else "stop"
            rows.append({**row, "completion": {"content": sample.output.completion, "finish_reason": ended}})
    return rows
