"""The oracle: which film a title means, how risky it is for whom, and why."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oracle.answers import parse_batch, parse_recommendations
    from oracle.base.errors import UserError
    from oracle.oracle import Oracle, Verdict, create_oracle
    from oracle.store import build_store
    from oracle.titles import confirm_alias, normalise

__all__ = [
    "Oracle",
    "UserError",
    "Verdict",
    "build_store",
    "confirm_alias",
    "create_oracle",
    "normalise",
    "parse_batch",
    "parse_recommendations",
]
_HOMES = {
    "oracle.base.errors": ("UserError",),
    "oracle.oracle": ("Oracle", "Verdict", "create_oracle"),
    "oracle.answers": ("parse_batch", "parse_recommendations"),
    "oracle.store": ("build_store",),
    "oracle.titles": ("confirm_alias", "normalise"),
}


def __getattr__(name: str) -> object:
    """Names are looked up when they are used: whoever asks for `--help`, or reads a log, waits for no index to load."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)
