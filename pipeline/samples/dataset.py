"""Reading a dataset in the SafeRec columns, with every problem named at once."""

import csv
import io
import json
import re
import sys
import zlib
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset, load_from_disk

from oracle import Oracle, UserError
from oracle.base.columns import repeated
from oracle.base.errors import in_a_line
from oracle.base.unpacked import LARGEST, as_it_is, read_parquet, read_unpacked, too_large, utf_8_of
from oracle.sources import delimiter_of
from pipeline.samples import values

FILM = pa.struct([("title", pa.string()), ("year", pa.int16())])
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
ALL = "all"


def load_dataset(
    path: str | Path,
    split: str | None,
    oracle: Oracle,
    needed: tuple[str, ...] = ("prompt",),
    largest: int = LARGEST,
) -> Dataset:
    """A dataset ready for training or evaluation: films as {"title", "year"}, traits in full.

    Args:
        path: a Parquet, JSON-lines, JSON or CSV file, packed by gzip or not; a folder that `datasets.save_to_disk` wrote, a
            folder of such folders, one a split, as SafeRec has them; or a folder of Parquet files, as the hub has them.
            Columns may hold JSON as text, and films a dict of lists; `messages` is another name of `prompt`.
        split: rows of that split only, by a column, a DatasetDict or a folder of splits; None and "all": all rows. Data
            without splits are all "train".
        needed: columns that must be there; absent `groundtruth_with_release_year`, `seen_titles` and `constraints`
            count as empty.
        largest: bytes that the rows may unpack to.

    Raises:
        UserError: a file that can't be read, or is too large; or, a line each, the missing columns and each column with mistyped or
            misnamed rows. Rows count from 0, in the data as they are on disk.
    """
    raw, rows = _of_split(*_read(Path(path), split, largest), path)
    raw = _renamed(raw, str(path))
    problems = []
    if missing := [c for c in needed if c not in raw]:
        problems.append(
            f"no column {', '.join(missing)}; it has {', '.join(raw)} "
            "(expected the SafeRec columns prompt, completion, groundtruth_with_release_year, seen_titles, constraints)"
        )
    columns: dict[str, list] = {}
    for name, convert in (
        ("prompt", values.prompt),
        ("completion", values.answer),
        ("groundtruth_with_release_year", values.films),
        ("seen_titles", values.films),
        ("constraints", lambda value: oracle.resolve_traits(values.traits_of(value))),
    ):
        if name in raw and (name != "completion" or name in needed):
            columns[name], bad = values.converted(name, raw[name], rows, convert)
            problems += bad
        elif name not in ("prompt", "completion"):
            columns[name] = [[] for _ in rows]
    if "id" in raw:
        ids, bad = values.converted("id", raw["id"], rows, lambda value: values.plain_text(str(value)))
        problems += bad
    if problems:
        raise UserError(*(f"{path}: {problem}" for problem in problems))
    if not rows:
        raise UserError(f"{path}: no rows")
    types = {"prompt": pa.list_(MESSAGE), "completion": pa.string(), "constraints": pa.list_(pa.string())}
    kept = {n: pa.array(v, types.get(n, pa.list_(FILM))) for n, v in columns.items()}
    if "id" in raw:
        kept["id"] = pa.array(ids)
    return Dataset(pa.table(kept))


_ALSO = {
    "prompt": ("messages", "conversation"),
    "groundtruth_with_release_year": ("groundtruth", "ground_truth"),
    "completion": ("answer", "response"),
}


def _renamed(columns: dict[str, list], path: str) -> dict[str, list]:
    """Columns under the names of SafeRec; says on stderr which other name was taken for one."""
    renamed = dict(columns)
    for name, others in _ALSO.items():
        other = next((o for o in others if o in columns), None)
        if name not in columns and other is not None:
            print(f"{path}: the column {other} is taken for {name}", file=sys.stderr)
            renamed[name] = renamed.pop(other)
    if "prompt" not in columns and "prompt" in renamed:
        _part_answers(renamed, path)
    return renamed


def _part_answers(columns: dict[str, list], path: str) -> None:
    """Take the answer off conversations that end with one: to show it in the prompt would give it away."""
    prompts: list = [values.unpacked(value) for value in columns["prompt"]]
    ends = [
        isinstance(p, list) and len(p) > 1 and isinstance(p[-1], dict) and p[-1].get("role") == "assistant"
        for p in prompts
    ]
    if any(ends):
        print(
            f"{path}: what the assistant says last, in {sum(ends):,} rows, is taken for the completion", file=sys.stderr
        )
        columns["prompt"] = [p[:-1] if end else p for p, end in zip(prompts, ends, strict=True)]
        own = columns.get("completion", [None] * len(prompts))
        columns["completion"] = [
            [p[-1]] if end and c is None else c for p, c, end in zip(prompts, own, ends, strict=True)
        ]


def splits_of(path: Path, largest: int = LARGEST) -> list[str | None]:
    """The splits of a dataset, by a folder's files or a column; [None] for data without splits. Raises `UserError`."""
    if path.is_dir():
        names = [*_shards(path)] or [p.parent.name for p in sorted(path.glob("*/dataset_info.json"))]
        if len(names) > 1:
            return [*names]
    columns, _ = _read(path, None, largest)
    return [*sorted({str(name) for name in columns["split"]})] if "split" in columns else [None]


def _read(path: Path, split: str | None, largest: int) -> tuple[dict[str, list], str | None]:
    """Columns, and the split that is still to be chosen from them."""
    if not path.exists():
        raise UserError(f"{path}: not found; expected a dataset (Parquet, JSON lines, CSV or a saved dataset folder)")
    try:
        if path.is_dir() and (shards := _shards(path)):
            return _of_shards(path, shards, split, largest)
        if path.is_dir():
            chosen, left = _of_folder(path, split)
            if chosen.data.nbytes > largest:
                raise too_large(path, largest)
            return chosen.to_dict(), left
        if not path.is_file():
            raise UserError(f"{path}: is no regular file; save what it gives to a file first")
        if path.suffix == ".parquet":
            names = pq.read_schema(as_it_is(path)).names
            if twice := repeated(names):
                raise UserError(f"{path}: has several columns of the name {', '.join(twice)[:200]}; rename them")
            return read_parquet(path, largest).to_pydict(), split
        kind = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
        if kind in (".csv", ".tsv"):
            return _of_csv(path, largest), split
        if kind in (".json", ".jsonl"):
            rows = read_json_lines(path, largest) if kind == ".jsonl" else json.loads(read_text(path, largest))
            rows = rows["samples"] if isinstance(rows, dict) and "samples" in rows else rows
            if not rows:
                raise ValueError("it is empty")
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise ValueError("expected a JSON object a row, {column: value}, in a list or one a line")
            return {name: [row.get(name) for row in rows] for name in {key: None for row in rows for key in row}}, split
    except UserError:
        raise
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
        csv.Error,
        zlib.error,
        pa.ArrowException,
    ) as error:
        raise UserError(f"{path}: can't be read as a dataset ({in_a_line(error)})") from None
    raise UserError(
        f"{path}: expected a .parquet, .jsonl, .json, .csv or .tsv file (or one packed as .gz), or a dataset folder"
    )


def read_json_lines(path: Path, largest: int) -> list:
    """The values in a file of JSON, one a line, unpacked to at most `largest` bytes; raises as `json_lines`."""
    return json_lines(read_text(path, largest))


def json_lines(text: str) -> list:
    """The values in lines of JSON; raises ValueError for a line that is none, by its number."""
    read = []
    for number, line in enumerate(text.split("\n"), 1):  # U+2028 and the like may stand in a text
        try:
            read += [json.loads(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            raise ValueError(f"line {number}: {error}") from None
    return read


def read_text(path: Path, largest: int) -> str:
    """The text of a file, unpacked where it is packed, without a mark of its encoding. Raises `UserError` where it isn't UTF-8."""
    return utf_8_of(path, read_unpacked(path, largest))


def _of_csv(path: Path, largest: int) -> dict[str, list]:
    text = read_text(path, largest)
    csv.field_size_limit(sys.maxsize)
    rows = csv.reader(io.StringIO(text), delimiter=delimiter_of(text.partition("\n")[0]))
    names = next(rows)
    if twice := repeated(names):
        raise UserError(f"{path}: has several columns of the name {', '.join(twice)[:200]}; rename them")
    body = [row for row in rows if row]
    for number, row in enumerate(body):
        if len(row) != len(names):
            raise ValueError(f"row {number} has {len(row)} columns instead of {len(names)}")
    return {name: [row[place] or None for row in body] for place, name in enumerate(names)}


_SHARD = re.compile(r"(.+?)(?:[-_.](\d+)(?:-of-(\d+).*)?)?\.(?:parquet|(?:jsonl|csv|tsv)(?:\.gz)?)")


def _shards(path: Path) -> dict[str, list[Path]]:
    """The files of a folder as the hub has it, by split: data/train-00000-of-00002.parquet, default/0000.parquet, test.jsonl.

    Empty for what `datasets.save_to_disk` wrote.
    """
    found: dict[str, list[Path]] = {}
    for shard in sorted([*path.glob("*"), *path.glob("*/*")]):
        if shard.is_file() and (named := _SHARD.fullmatch(shard.name)):
            found.setdefault(named[1], []).append(shard)
    return found


def _of_shards(
    path: Path, shards: dict[str, list[Path]], split: str | None, largest: int
) -> tuple[dict[str, list], str | None]:
    if split in (None, ALL) and len(shards) > 1:
        raise UserError(f"{path}: has {', '.join(shards)}; name one with --split")
    chosen = shards.get(str(split)) or (next(iter(shards.values())) if len(shards) == 1 else None)
    if chosen is None:
        raise UserError(f"{path}: no split {split!r}; it has {', '.join(shards)}")
    _refuse_lacking(path, chosen)
    left = None if split in shards else split
    if any(shard.suffix != ".parquet" for shard in chosen):
        read = [_read(shard, None, largest)[0] for shard in chosen]
        names = {name: None for columns in read for name in columns}
        return {
            n: [v for columns in read for v in columns.get(n, [None] * len(next(iter(columns.values()))))]
            for n in names
        }, left
    tables: list[pa.Table] = []
    for shard in chosen:
        tables.append(read_parquet(shard, largest))
        if sum(table.nbytes for table in tables) > largest:
            raise too_large(path, largest)
    return pa.concat_tables(tables, promote_options="permissive").to_pydict(), left


def _refuse_lacking(path: Path, shards: list[Path]) -> None:
    """Raises `UserError` where the names of a split's files say that there are more of them: train-00000-of-00002.parquet alone."""
    named = [found for shard in shards if (found := _SHARD.fullmatch(shard.name)) and found[3]]
    for of in sorted({found[3] for found in named}):
        have = {int(found[2]) for found in named if found[3] == of}
        if len(have) < int(of):
            first = next(number for number in count() if number not in have)
            raise UserError(
                f"{path}: {named[0][1]} has {len(have)} of its {int(of)} files; bring the others, such as number {first}"
            )


def _of_folder(path: Path, split: str | None) -> tuple[Dataset, str | None]:
    splits: dict[str, Dataset | Path] = {p.parent.name: p.parent for p in sorted(path.glob("*/dataset_info.json"))}
    if (path / "dataset_dict.json").exists() or not splits:
        saved = load_from_disk(str(path))
        if isinstance(saved, Dataset):
            return saved, split
        splits = dict(saved)  # type: ignore[arg-type]
    if split in (None, ALL) and len(splits) > 1:
        raise UserError(f"{path}: has {', '.join(splits)}; name one with --split")
    if split not in (None, ALL, *splits):
        raise UserError(f"{path}: no split {split!r}; it has {', '.join(splits)}")
    chosen = splits[next((name for name in splits if name == split), next(iter(splits)))]
    return load_from_disk(str(chosen)) if isinstance(chosen, Path) else chosen, None  # type: ignore[return-value]


def _of_split(columns: dict[str, list], split: str | None, path: str | Path) -> tuple[dict[str, list], list[int]]:
    """The columns of a split, and which rows of the data these are."""
    if "split" not in columns and split not in (None, ALL, "train", Path(path).stem):
        raise UserError(f"{path}: has no column split, and so no split {split!r}; leave --split out for all rows")
    if split in (None, ALL) or "split" not in columns:
        return columns, list(range(len(next(iter(columns.values()), []))))
    kept = [i for i, name in enumerate(columns["split"]) if str(name) == split]
    if not kept:
        splits = ", ".join(sorted({str(name) for name in columns["split"]}))
        raise UserError(f"{path}: no split {split!r}; it has {splits}")
    return {name: [column[i] for i in kept] for name, column in columns.items()}, kept
