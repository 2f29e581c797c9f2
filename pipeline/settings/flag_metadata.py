"""What a flag is: its default, its help, and all that other files need to know of it, in one place."""

import math
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields
from typing import Any

_METAVAR = {int: "N", float: "X", bool: "true|false"}


@dataclass(frozen=True)
class Bound:
    """Which values a flag takes, in words behind "expected", and as a test."""

    expected: str
    holds: Callable[[Any], bool]


AT_LEAST_ONE = Bound("at least 1", lambda x: x >= 1)
POSITIVE = Bound("a positive number", lambda x: 0 < x < math.inf)
NOT_NEGATIVE = Bound("a number of at least 0", lambda x: 0 <= x < math.inf)
BELOW_ONE = Bound("at least 0 and below 1", lambda x: 0 <= x < 1)
RISK = Bound("a risk between 0 and 1", lambda x: 0 <= x <= 1)
SHARE = Bound("a share between 0 and 1", lambda x: 0 < x < 1)
PART = Bound("a share above 0 and at most 1", lambda x: 0 < x <= 1)
SEED = Bound("a whole number from 0 to 4294967295", lambda x: 0 <= x < 2**32)
STEPS = Bound("a positive number, whole or a share of all steps below 1", lambda x: x > 0 and (x <= 1 or not x % 1))
MAX_STEPS = Bound("at least 1, or -1 for as many as the epochs have", lambda x: x >= 1 or x == -1)


def flag(
    default: Any,
    help: str,
    *,
    bound: Bound | None = None,
    trl: str | bool = False,
    resume: bool = False,
    path: bool = False,
    needs: str | None = None,
    **argument: Any,
) -> Any:
    """A field of a settings dataclass, which is a flag of that name.

    Args:
        bound: what its values are held to; null values are not.
        trl: the option of TRL's that it sets, under the same name where True.
        resume: whether a resumed run may change it. Of all else a run's log has one value, from which rewards are derived
            again, or its checkpoint: the optimiser's and the schedule's state, rollouts that are still to be used.
        path: whether it names something on this disk.
        needs: another flag without which it does nothing.
        argument: further arguments of `argparse.ArgumentParser.add_argument`.
    """
    shown = " ".join(default) if isinstance(default, list) else default
    text = help if default in (None, False, []) else f"{help} (default: {shown})"
    metadata = {
        "help": text.replace("%", "%%"), "argument": {"metavar": _METAVAR.get(type(default)), **argument},
        "bound": bound, "trl": trl, "resume": resume, "path": path, "needs": needs,
    }  # fmt: skip
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def flags_with(kind: type, what: str) -> list[Field]:
    """The flags of a settings dataclass whose metadata `what` is set."""
    return [f for f in fields(kind) if f.metadata[what]]


def trl_names(kind: type) -> dict[str, str]:
    """Flag -> option of TRL's that it sets."""
    return {f.name: f.name if f.metadata["trl"] is True else f.metadata["trl"] for f in flags_with(kind, "trl")}
