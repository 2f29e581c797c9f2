"""Files of answers -> rows: JSON lines, JSON, CSV, Parquet, and inspect's logs."""

import csv
import json
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from oracle import UserError
from oracle.base.errors import in_a_line
from oracle.base.files import check_readable
from pipeline.samples.dataset import read_json_lines

SUFFIXES = (".jsonl", ".json", ".csv", ".parquet", ".eval")
_LISTS = ("samples", "results", "answers", "data", "rows", "outputs")


def read_rows(path: str) -> list:
    """The rows of a file of answers, known by its suffix (another one is read as JSON lines).

    Raises:
        UserError: a file that can't be read as such.
    """
    file = Path(path)
    check_readable(file)
    try:
        match file.suffix.lower():
            case ".eval":
                return inspect_rows(path)
            case ".parquet":
                _check_columns(path, pq.read_schema(file).names)
                return pq.read_table(file).to_pylist()
            case ".csv":
                return _csv_rows(file)
            case ".json":
                return _json_rows(file, path)
            case _:
                return read_json_lines(file)
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
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise UserError(f"{path}: has several columns of the name {', '.join(twice)}; rename them")


def _json_rows(file: Path, path: str) -> list:
    text = file.read_text(encoding="utf-8-sig")
    try:
        value = json.loads(text)
    except ValueError:
        return read_json_lines(file)  # lines under another name
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


def _csv_rows(file: Path) -> list[dict]:
    csv.field_size_limit(sys.maxsize)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        _check_columns(str(file), reader.fieldnames or [])
        rows = list(reader)
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(f"row {number} has another number of fields than the header")
    return rows


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
