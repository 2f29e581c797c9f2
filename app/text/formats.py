"""Numbers, dates and films as people read them."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from oracle.base.printable import one_line

NOTHING = "–"
T = TypeVar("T")


def percent(share: float | None, digits: int = 1) -> str:
    """0.2104 -> "21.0 %"; null: a dash."""
    return NOTHING if share is None else f"{100 * share:.{digits}f}\u202f%"


def number(value: float | None, digits: int = 3) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 2) -> str:
    """With a sign, a true minus, and none for zero."""
    if value is None:
        return NOTHING
    shown = f"{abs(value):.{digits}f}"
    return shown if float(shown) == 0 else ("−" if value < 0 else "+") + shown


def points(difference: float | None) -> str:
    """Between two shares: -0.138 -> "−13.8 points"."""
    return NOTHING if difference is None else f"{signed(100 * difference, 1)} points"


def count(value: float | None) -> str:
    """12345 -> "12,345"."""
    return NOTHING if value is None else f"{value:,.0f}"


def plural(value: int, one: str, many: str | None = None) -> str:
    """1 -> "1 step", 2 -> "2 steps"."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def moment(when: datetime | None) -> str:
    """ "22 Nov 2026, 13:28"; null: a dash."""
    return NOTHING if when is None else f"{when:%-d %b %Y, %H:%M}"


def ago(seconds: float) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(int(seconds // size), unit) + " ago"
    return "just now"


def film(title: str, year: int | None) -> str:
    return title if year is None else f"{title} ({year})"


def short(name: str, most: int = 80) -> str:
    """A name that somebody else gave, as a part of a line."""
    return one_line(name if len(name) <= most else name[: most - 1] + "…")


def told_apart(options: Sequence[T], text: Callable[[T], str]) -> dict[T, str]:
    """What people read of each option: its text, and where others have the same, the option itself behind it. (Streamlit takes
    options of one text for one option.)"""
    texts = {option: text(option) for option in options}
    times = Counter(texts.values())
    return {option: f"{said} ({short(str(option))})" if times[said] > 1 else said for option, said in texts.items()}
