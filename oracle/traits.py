"""Traits: the kinds of content that a person may want avoided, their definitions and their short names."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rapidfuzz import fuzz, process

from oracle.errors import UserError


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


class TraitNames:
    """Finds the trait that a name means: in full, or any unambiguous short form, whatever its case."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._numbers: dict[str, int] = {name: number for number, name in enumerate(self.names)}

    def number(self, name: str) -> int:
        """Return the position of the trait that `name` means; `UserError` where none or several fit."""
        if name not in self._numbers:
            self._numbers[name] = self._search(name)
        return self._numbers[name]

    def resolve(self, names: Iterable[str]) -> list[str]:
        """Return the full names, in the order given."""
        return [self.names[self.number(name)] for name in names]

    def _search(self, name: str) -> int:
        if not isinstance(name, str) or not name.strip():
            raise UserError(f"{name!r} is no trait name; the traits are: {'; '.join(self.names)}")
        wanted = _words(name)
        padded = [f" {_words(full)} " for full in self.names]
        # The whole name, then its beginning, then whole words in it, then any part: the first that one trait fits.
        fits: list[int] = []
        for pattern_fits in (
            [number for number, full in enumerate(padded) if full.strip() == wanted],
            [number for number, full in enumerate(padded) if full.startswith(f" {wanted}")],
            [number for number, full in enumerate(padded) if f" {wanted} " in full],
            [number for number, full in enumerate(padded) if wanted in full],
        ):
            if len(pattern_fits) == 1:
                return pattern_fits[0]
            fits = fits or pattern_fits
        if fits:
            raise UserError(
                f"trait {name!r} fits {len(fits)} traits: {'; '.join(self.names[number] for number in fits)}; say which"
            )
        nearest = process.extract(name, self.names, scorer=fuzz.WRatio, limit=3)
        raise UserError(f"no trait {name!r}; the nearest are: {'; '.join(full for full, _, _ in nearest)}")


def _words(name: str) -> str:
    """Lower case, with one space between words of letters and digits."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in name.casefold()).split())
