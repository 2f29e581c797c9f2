"""The schema of trait definitions. Kept apart: pydantic takes its time to load, and few commands read definitions."""

from typing import Annotated, Any

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Weight = Annotated[float, Field(ge=0), AllowInfNan(False)]


class _Weights(BaseModel):
    model_config = ConfigDict(strict=True)
    weights: dict[_Text, _Weight] = {}


class Definition(_Weights):
    trait: _Text
    avoid: list[_Text] = []
    synonyms: list[_Text] = []

    @model_validator(mode="before")
    @classmethod
    def _original_layout(cls, entry: Any) -> Any:
        """The original work keeps the weights one level down."""
        if isinstance(entry, dict) and isinstance(entry.get("imdb_parent_guide"), dict):
            return {**entry, "weights": entry["imdb_parent_guide"].get("weights", {})}
        return entry


class TagSynonyms(BaseModel):
    model_config = ConfigDict(strict=True)
    tag_synonyms: dict[_Text, list[_Text]] = {}


def told(error: ValidationError) -> str:
    """The first fault, in a line: where it is, what stands there, and what was expected."""
    fault = error.errors(include_url=False)[0]
    place = ".".join(str(part + 1 if isinstance(part, int) else part) for part in fault["loc"])
    value = repr(fault["input"])[:60] if _is_short(fault["input"]) else f"a {type(fault['input']).__name__}"
    message = fault["msg"].removeprefix("Input ")
    if fault["type"] == "missing":
        return f"has no {place}"
    return f"{place + ' is ' if place else ''}{value}, which {message}"


def _is_short(value: object) -> bool:
    return value is None or isinstance(value, str | bool | float) or (isinstance(value, int) and abs(value) < 10**18)
