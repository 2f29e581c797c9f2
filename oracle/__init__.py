"""The oracle: which film a title means, how risky it is for whom, and why."""

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
