"""What is in a dataset, and what would make its figures wrong, told without training."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from datasets import Dataset

from oracle import Oracle, create_oracle
from oracle.base.printable import in_json, one_line
from oracle.base.unpacked import LARGEST
from oracle.sources import read_coverage
from pipeline.samples.dataset import FILM, load_dataset, splits_of

OPENING = 30
"""Characters from which on the first line of a conversation tells it from others."""
TEMPLATE = 0.05
"""Share of a split's samples that begin with one line, above which that line is a template's."""
_TELLING = 8  # characters of a title that is no everyday word


def check_dataset(path: Path, store: Path, as_json: bool, largest: int = LARGEST) -> str:
    """Return a report on all rows of a dataset, as text or JSON. `largest`: bytes that it may unpack to.

    Raises `UserError` for what can't be read, or is larger.
    """
    oracle = create_oracle(store=store if store.exists() else None)
    names = splits_of(path, largest)
    splits = {name or "train": load_dataset(path, name, oracle, largest=largest) for name in names}
    prompts = {name: _prompts(rows) for name, rows in splits.items()}
    every = [prompt for own in prompts.values() for prompt in own]
    traits = [row for rows in splits.values() for row in rows["constraints"]]
    report = {
        "rows": len(every),
        "rows by split": {name: len(rows) for name, rows in splits.items()},
        "rows with constraints": sum(map(bool, traits)),
        "rows by number of constraints": {str(n): rows for n, rows in sorted(Counter(map(len, traits)).items())},
        "constraints by trait": dict(Counter(t for own in traits for t in own).most_common()),
        "prompts twice": sum(times - 1 for times in Counter(every).values()),
        **_between_splits(splits, prompts),
        **_groundtruth(oracle, every, [row for rows in splits.values() for row in rows["groundtruth_with_release_year"]], traits),
    }  # fmt: skip
    if as_json:
        return in_json(json.dumps(report))
    nouns = read_coverage(oracle.store).nouns
    lines = [f"{one_line(path)}:"]
    for name, value in report.items():
        name = name.replace("films", nouns)
        if isinstance(value, dict):
            lines += [f"  {name}:", *(f"    {one_line(key)}: {count:,}" for key, count in value.items())]
        else:
            lines.append(f"  {name}: {value:,}")
    return "\n".join(lines)


def _prompts(rows: Dataset) -> list[str]:
    return ["\n".join(message["content"] for message in prompt) for prompt in rows["prompt"]]


def _between_splits(splits: dict[str, Dataset], prompts: dict[str, list[str]]) -> dict[str, int]:
    """Samples of other splits whose prompt, or whose conversation by its first line, is one of train."""
    if "train" not in splits:
        return {"held-out prompts that stand in train": 0, "held-out conversations that begin as one of train": 0}
    known, openings = set(prompts["train"]), set(_openings(splits["train"]))
    same = near = 0
    for name, rows in splits.items():
        if name != "train":
            copied = [prompt in known for prompt in prompts[name]]
            same += sum(copied)
            near += sum(
                opening in openings and not is_copy
                for opening, is_copy in zip(_openings(rows), copied, strict=True) if opening
            )  # fmt: skip
    return {"held-out prompts that stand in train": same, "held-out conversations that begin as one of train": near}


def _openings(rows: Dataset) -> list[str]:
    """The first line that the user says, without case and spaces; empty where it is short, or that of a template."""
    lines = []
    for prompt in rows["prompt"]:
        said = next((m["content"] for m in prompt if m["role"] == "user"), "")
        first = " ".join(said.strip().partition("\n")[0].casefold().split())
        lines.append(first if len(first) >= OPENING else "")
    times = Counter(lines)
    return [line if times[line] <= max(5, TEMPLATE * len(lines)) else "" for line in lines]


def _groundtruth(
    oracle: Oracle, prompts: Sequence[str], groundtruth: Sequence[list], constraints: Sequence[list]
) -> dict[str, int]:
    """How many ground-truth films there are, and how many of them are unsafe, unknown, or stand in the prompt."""
    films = [film for listed in groundtruth for film in listed]
    row = [number for number, listed in enumerate(groundtruth) for _ in listed]
    table = pa.Table.from_pylist(films, pa.schema(list(FILM)))
    asked = pa.array([constraints[number] for number in row], pa.list_(pa.string()))
    status = oracle.check_batch(table.append_column("constraints", asked))["status"].to_pylist()
    counted = Counter(status)
    left = {number for number, told in zip(row, status, strict=True) if told != "unsafe"}
    shown = [prompt.casefold() for prompt in prompts]
    return {
        "ground-truth films": len(films),
        "that violate their own constraints": counted["unsafe"],
        "that the store does not have": counted["unresolved"],
        "without evidence for a constraint": counted["unrated"],
        "that stand in the prompt (leaks)": sum(
            _is_shown(film, shown[number]) for film, number in zip(films, row, strict=True)
        ),
        "rows without ground truth": sum(not listed for listed in groundtruth),
        "rows whose ground truth all violates": len({*row} - left),
    }


def _is_shown(film: dict, prompt: str) -> bool:
    """Whether a title stands in a prompt, with its year, or alone where it is long enough to be no everyday word."""
    title = film["title"].casefold()
    if f"{title} ({film['year']})" in prompt:
        return True
    return len(title) >= _TELLING and re.search(rf"(?<!\w){re.escape(title)}(?!\w)", prompt) is not None
