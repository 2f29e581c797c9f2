"""Trait definitions: the kinds of content that a person may want avoided."""

import json
from dataclasses import dataclass
from pathlib import Path

from oracle.base.errors import UserError


@dataclass(frozen=True)
class Trait:
    """A trait, the content tags that trigger it, and its weight (>= 0) for each Parent Guide category."""

    name: str
    avoid: tuple[str, ...] = ()
    weights: tuple[tuple[str, float], ...] = ()


def read_traits(path: Path | str) -> list[Trait]:
    """Read trait definitions: a JSON list, or an object with the list under `traits`, in the original work's layout.

    Raises `UserError` for a file that cannot be read or has another layout.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read trait definitions from {path}: {error}") from None
    entries = content.get("traits") if isinstance(content, dict) else content
    if not isinstance(entries, list) or not entries:
        raise UserError(f'{path} holds no trait definitions: expected a JSON list, or {{"traits": [...]}}')
    return [_trait(entry, number, path) for number, entry in enumerate(entries, start=1)]


def _trait(entry: object, number: int, path: Path | str) -> Trait:
    try:
        assert isinstance(entry, dict)
        weights = entry.get("imdb_parent_guide", entry).get("weights", {})
        return Trait(
            name=str(entry["trait"]).strip(),
            avoid=tuple(dict.fromkeys(map(str, entry.get("avoid", ())))),
            weights=tuple((str(category), float(weight)) for category, weight in weights.items()),
        )
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError):
        raise UserError(
            f'{path}: trait {number} is {json.dumps(entry)[:80]}, expected {{"trait": ..., "avoid": [...], '
            '"weights": {category: number}}'
        ) from None
