"""The rules by which a run shows signs of evasion: those of `sql/log/evasion_rules.sql`, for code that has no log to ask."""

from dataclasses import dataclass
from functools import cache

from oracle.base.database import connect
from oracle.base.resources import read_sql

ROUNDING = 1e-9
"""Figures that are as close are one: a mean of the same numbers in another order differs by its last digit."""


@dataclass(frozen=True)
class EvasionRule:
    """Broken where the mean of `metric` has gone beyond share * first + points; `words` say so to people."""

    signal: str
    metric: str
    rises: bool
    share: float
    points: float
    words: str

    def is_broken(self, first: float, last: float) -> bool:
        """By the means of the first and the last steps; not where either is NaN."""
        limit = self.share * first + self.points
        return is_above(last, limit) if self.rises else is_above(limit, last)


def is_above(a: float, b: float) -> bool:
    """By more than rounding, as `is_above` in `sql/log/sums.sql`; not where either is NaN."""
    return a - b > ROUNDING


@cache
def evasion_rules() -> tuple[int, tuple[EvasionRule, ...]]:
    """The number of first and of last steps that are compared, and the rules."""
    with connect() as connection:
        connection.execute(read_sql("log/evasion_rules"))
        [(steps, rules)] = connection.sql("select evasion_steps(), evasion_rules()").fetchall()
    return steps, tuple(EvasionRule(signal, **rule) for signal, rule in rules.items())
