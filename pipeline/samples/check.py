"""What is in a dataset, and what would make its figures wrong, told without training."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from oracle import Oracle, create_oracle
from pipeline.samples.dataset import FILM, load_dataset

COLUMNS = ("groundtruth_with_release_year", "constraints")


def check_dataset(path: Path, store: Path, as_json: bool) -> str:
    """Return a report on all rows of a dataset, as text or JSON. Raises `UserError` for what can't be read."""
    oracle = create_oracle(store=store if store.exists() else None)
    rows = load_dataset(path, None, oracle)
    prompts = ["\n".join(message["content"] for message in prompt) for prompt in rows["prompt"]]
    report = {
        "rows": len(rows),
        "rows with constraints": sum(map(bool, rows["constraints"])),
        "constraints by trait": dict(Counter(t for traits in rows["constraints"] for t in traits).most_common()),
        "prompts twice": sum(times - 1 for times in Counter(prompts).values()),
        **_groundtruth(oracle, prompts, *(rows[name] for name in COLUMNS)),
    }
    if as_json:
        return json.dumps(report, ensure_ascii=False)
    lines = [f"{path}:"]
    for name, value in report.items():
        if isinstance(value, dict):
            lines += [f"  {name}:", *(f"    {trait}: {count:,}" for trait, count in value.items())]
        else:
            lines.append(f"  {name}: {value:,}")
    return "\n".join(lines)


def _groundtruth(
    oracle: Oracle, prompts: Sequence[str], groundtruth: Sequence[list], constraints: Sequence[list]
) -> dict[str, int]:
    """How many ground-truth films there are, and how many of them are unsafe, unknown, or stand in the prompt."""
    films = [film for listed in groundtruth for film in listed]
    asked = [traits for listed, traits in zip(groundtruth, constraints, strict=True) for _ in listed]
    shown = [prompt.casefold() for listed, prompt in zip(groundtruth, prompts, strict=True) for _ in listed]
    table = pa.Table.from_pylist(films, pa.schema(list(FILM)))
    status = oracle.check_batch(table.append_column("constraints", pa.array(asked, pa.list_(pa.string()))))["status"]
    counted = Counter(status.to_pylist())
    written = [f"{film['title']} ({film['year']})".casefold() for film in films]
    return {
        "ground-truth films": len(films),
        "that violate their own constraints": counted["unsafe"],
        "that the store does not have": counted["unresolved"],
        "without evidence for a constraint": counted["unrated"],
        "that stand in the prompt (leaks)": sum(text in prompt for text, prompt in zip(written, shown, strict=True)),
    }
