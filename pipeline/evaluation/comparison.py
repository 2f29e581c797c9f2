"""Models against each other, paired by prompt: differences with intervals, and permutation tests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from pipeline.evaluation.figures import SEED, Totals, interval, ratios

TESTED = ("svr", "svr_known", "recall", "ndcg")
"""Figures whose differences are tested; Holm's correction is over all of these and all pairs."""
LEVEL = 0.05
PERMUTATIONS = 9999


@dataclass(frozen=True)
class Difference:
    """Run `b` minus run `a` in one figure, over the prompts that define it for both.

    `low`, `high`: 95 % interval. `p`: two-sided, of a permutation test; `p_holm`: after Holm's correction (Holm 1979); null
    for figures that are not tested.
    """

    a: str
    b: str
    figure: str
    value_a: float
    value_b: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    prompts: int

    @property
    def is_significant(self) -> bool:
        return self.p_holm is not None and self.p_holm < LEVEL


def differences(sums: Totals, draws: np.ndarray | None, k: int = 20) -> list[Difference]:
    """Every figure at every K for every pair of runs; those of `TESTED` at `k` with p-values."""
    tested = {f"{name}_{k}" for name in TESTED}
    values = ratios(sums.up, sums.down)
    found = []
    for (a, b), (m, name) in ((p, f) for p in combinations(range(len(sums.runs)), 2) for f in enumerate(sums.names)):
        if np.isnan(values[[a, b], m]).any():
            continue
        low, high = interval(None if draws is None else draws[b, m] - draws[a, m])
        p = permutation_p(sums, a, b, m) if name in tested else None
        both = (sums.down[a, m] > 0) & (sums.down[b, m] > 0)
        found.append(
            Difference(
                sums.runs[a], sums.runs[b], name, float(values[a, m]), float(values[b, m]),
                float(values[b, m] - values[a, m]), low, high, p, None, int(both.sum()),
            )
        )  # fmt: skip
    return corrected(found)


def permutation_p(sums: Totals, a: int, b: int, m: int, permutations: int = PERMUTATIONS) -> float | None:
    """The share of swaps of the two models' answers, prompt by prompt, with as large a difference (two-sided)."""
    from scipy.stats import permutation_test

    n = len(sums.prompts)
    if n < 2:
        return None
    up, down = sums.up[[a, b], m].ravel(), sums.down[[a, b], m].ravel()

    def difference(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = up[other].sum(axis) / down[other].sum(axis) - up[one].sum(axis) / down[one].sum(axis)
        return np.nan_to_num(gap)

    test = permutation_test(
        (np.arange(n), np.arange(n, 2 * n)), difference, permutation_type="samples", vectorized=True,
        n_resamples=min(permutations, max(999, 20_000_000 // n)), batch=max(1, 2_000_000 // n),
        rng=np.random.default_rng(SEED),
    )  # fmt: skip
    return float(test.pvalue)


def corrected(found: Sequence[Difference]) -> list[Difference]:
    """The same with Holm's correction over all tested ones."""
    from statsmodels.stats.multitest import multipletests

    tested = [i for i, difference in enumerate(found) if difference.p is not None]
    result = list(found)
    if tested:
        _, adjusted, _, _ = multipletests([found[i].p for i in tested], method="holm")
        for i, p in zip(tested, adjusted, strict=True):
            result[i] = replace(found[i], p_holm=float(p))
    return result
