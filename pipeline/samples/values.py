"""The values of a dataset's columns, in the forms in which people write them."""

import ast
import json
import re
from contextlib import suppress

from oracle import UserError
from oracle.annotate import as_film
from oracle.oracle import active_constraints

_SHOWN = 3  # bad rows of a column that are told in full


def converted(name: str, values: list, rows: list[int], convert) -> tuple[list, list[str]]:
    """The values as training needs them, and a line on those that can't be used, if there are any."""
    usable, bad = [], []
    for row, value in zip(rows, values, strict=True):
        try:
            usable.append(convert(value))
        except UserError as error:
            bad.append(f"row {row}, {name}: {error}")
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            bad.append(f"row {row}, {name}: {_expected(name, value)}")
    more = [f"and {len(bad) - _SHOWN} more rows of {name}"] if len(bad) > _SHOWN else []
    return usable, ["; ".join(bad[:_SHOWN] + more)] if bad else []


def _expected(name: str, value: object) -> str:
    what = {
        "prompt": "a text or a list of {role, content} messages",
        "completion": "a text, or one message of the assistant",
        "constraints": "a list of trait names, or an object of traits that are true or false",
        "id": "a number or a text",
    }.get(name, "a list of titles")
    return f"{str(value)[:60]!r} is not {what}"


def unpacked(value: object) -> object:
    """What a text of JSON holds, or of a Python literal as pandas writes lists into CSV; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, RecursionError, SyntaxError, MemoryError):
                return read(value.strip())
    return value


def traits_of(value: object) -> list[str]:
    """Traits from a list, an object of truths, JSON of these, or a text with names parted by ";"."""
    value = unpacked(value)
    if isinstance(value, str):
        return [name.strip() for name in value.split(";") if name.strip()]
    try:
        return active_constraints(value)
    except UserError:  # the column and the value are named here as for every other column
        raise ValueError from None


def prompt(value: object) -> list[dict]:
    held = unpacked(value)
    value = held if isinstance(held, list) and all(isinstance(m, dict) and "role" in m for m in held) else value
    if isinstance(value, str):
        return [{"role": "user", "content": plain_text(value)}]
    messages = [{"role": plain_text(m["role"]), "content": plain_text(m["content"])} for m in value]  # type: ignore[attr-defined]
    if not messages:
        raise ValueError
    return messages


def answer(value: object) -> str:
    """SafeRec writes an answer as a list of one message."""
    held = unpacked(value)
    if isinstance(held, list) and (isinstance(value, list) or _is_message(held)):
        (message,) = held
        return plain_text(message["content"])
    return plain_text(value)


def _is_message(value: list) -> bool:
    return len(value) == 1 and isinstance(value[0], dict) and "content" in value[0]


def plain_text(value: object) -> str:
    """A text that can be written; raises TypeError or ValueError for what is none."""
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # a lone surrogate can't be written
    return value


def films(value: object) -> list[dict]:
    value = unpacked(value)
    if isinstance(value, dict) and isinstance(value.get("title"), list):  # how a Sequence of structs arrives
        years = value.get("year") or [None] * len(value["title"])
        value = list(zip(value["title"], years, strict=True))
    if isinstance(value, str) and _YEAR_LAST.search(value):
        value = _BETWEEN_FILMS.split(value.strip())
    if isinstance(value, str | dict):
        raise TypeError
    return [_film(f) for f in value or []]  # type: ignore[attr-defined]


def _film(value: object) -> dict:
    try:
        film = as_film(_with_plain_year(value))
        year = None if film["year"] is None else int(film["year"])
        if year is not None and not 0 <= year < 2**15:
            raise ValueError
        return {"title": plain_text(film["title"]), "year": year}
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
        raise UserError(
            f'{str(value)[:60]!r} is no title; expected [title, year], a year such as 1979 or null, or "Title (Year)"'
        ) from None


_YEAR_LAST = re.compile(r"\(\d{4}[^()]*\)\s*$")
_BETWEEN_FILMS = re.compile(r"(?<=\))\s*[;|\n]\s*")  # "Saw (2004); Up (2009)"
_SPAN = re.compile(r"\((\d{4})\s*[-–—]\s*(?:\d{4}|present)?\s*\)\s*$")
_YEAR = re.compile(r"(\d{4})(?:\.0+|-\d\d(?:-\d\d.*)?|\s*[-–—]\s*(?:\d{4})?)?")


def _with_plain_year(value: object) -> object:
    """A film whose year is a number where it is a date ("1979-05-25"), a span ("2008–2013") or "1979.0"."""
    if isinstance(value, str):
        return _SPAN.sub(r"(\1)", value)
    if isinstance(value, dict):
        return {**value, "year": _plain_year(value.get("year"))}
    if isinstance(value, list | tuple) and len(value) == 2:
        return [value[0], _plain_year(value[1])]
    return value


def _plain_year(year: object) -> object:
    if isinstance(year, bool) or (isinstance(year, float) and not year.is_integer()):
        raise ValueError
    written = _YEAR.fullmatch(year.strip()) if isinstance(year, str) else None
    return int(written[1]) if written else year
