"""Trait definitions: the kinds of content that a person may want avoided."""

import json
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from oracle.base.errors import UserError
from oracle.base.unpacked import LARGEST, read_unpacked

EXPECTED = '{"trait": name, "avoid": [tags], "weights": {category: number of at least 0}, "synonyms": [words]}'


@dataclass(frozen=True)
class Trait:
    """A trait, the content tags that trigger it, and its weight (>= 0) for each category of severities."""

    name: str
    avoid: tuple[str, ...] = ()
    weights: tuple[tuple[str, float], ...] = ()
    synonyms: tuple[str, ...] = ()
    """Everyday words for it, which a person may say instead of its name."""


@dataclass(frozen=True)
class Definitions:
    """What a file of trait definitions holds."""

    traits: list[Trait]
    tag_synonyms: dict[str, list[str]]
    """Other wordings of a content tag, whichever trait asks for it."""


def read_traits(path: Path | str) -> list[Trait]:
    """The traits of `read_definitions`."""
    return read_definitions(path).traits


def read_definitions(path: Path | str, largest: int = LARGEST) -> Definitions:
    """Read trait definitions: a JSON list, or an object with the list under `traits`, in the original work's layout.

    `largest`: bytes that it may unpack to. Raises `UserError` for a file that cannot be read, a name that is there
    twice, and whatever breaks the schema, by the number of the trait.
    """
    from pydantic import ValidationError

    from oracle.store.trait_schema import TagSynonyms, told

    try:
        content = json.loads(read_unpacked(path, largest).decode("utf-8-sig"))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"cannot read trait definitions from {path}: {error}") from None
    entries = content.get("traits") if isinstance(content, dict) else content
    if not isinstance(entries, list) or not entries:
        raise UserError(f'{path} holds no trait definitions: expected a JSON list, or {{"traits": [...]}}')
    try:
        synonyms = TagSynonyms.model_validate(content if isinstance(content, dict) else {}).tag_synonyms
    except ValidationError as error:
        raise UserError(f"{path}: {told(error)}; expected lists of other wordings by tag") from None
    traits = [_trait(entry, number, path) for number, entry in enumerate(entries, start=1)]
    if twice := sorted(name for name, times in Counter(trait.name for trait in traits).items() if times > 1):
        raise UserError(f"{path} defines {', '.join(map(repr, twice))} more than once; expected each name once")
    return Definitions(traits, synonyms)


def _trait(entry: object, number: int, path: Path | str) -> Trait:
    from pydantic import ValidationError

    from oracle.store.trait_schema import Definition, told

    try:
        definition = Definition.model_validate(entry)
    except ValidationError as error:
        name = entry.get("trait") if isinstance(entry, dict) else None
        named = f" ({name[:60]!r})" if isinstance(name, str) else ""
        raise UserError(f"{path}: trait {number}{named}: {told(error)}; expected {EXPECTED}") from None
    return Trait(
        name=definition.trait,
        avoid=tuple(dict.fromkeys(definition.avoid)),
        weights=tuple(definition.weights.items()),
        synonyms=tuple(dict.fromkeys(definition.synonyms)),
    )
