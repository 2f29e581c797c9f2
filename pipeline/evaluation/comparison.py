"""Models against each other, paired by prompt: differences with intervals, and permutation tests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from pipeline.evaluation.figures import SEED, Totals, interval, ratios, resampled

TESTED = ("svr", "svr_known", "recall", "ndcg")
"""Figures whose differences are tested; Holm's correction is over all of these and all pairs."""
LEVEL = 0.05
PERMUTATIONS = 9999
SAME = 1e-9
"""Two differences that are as close are one: they round otherwise where prompts are summed in another order."""


@dataclass(frozen=True)
class Difference:
    """Run `b` minus run `a` in one figure; all of it over the prompts that define the figure for both.

    `low`, `high`: 95 % interval. `p`: two-sided, of a permutation test; `p_holm`: after Holm's correction (Holm 1979); null
    for figures that are not tested. All four are null where one prompt alone defines the figure for both.
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


def differences(sums: Totals, k: int = 20) -> list[Difference]:
    """Every figure at every K for every pair of runs; those of `TESTED` at `k` with p-values."""
    tested = {f"{name}_{k}" for name in TESTED}
    found = []
    for a, b in combinations(range(len(sums.runs)), 2):
        pair = of_both(sums, a, b)
        values, prompts, draws = ratios(pair.up, pair.down), (pair.down[0] > 0).sum(-1), resampled(pair)
        for m, name in enumerate(pair.names):
            if not prompts[m]:
                continue
            (value_a, value_b), n = values[:, m].tolist(), int(prompts[m])
            low, high = interval(None if draws is None else draws[1, m] - draws[0, m], n)
            p = permutation_p(pair, m) if name in tested else None
            gap = value_b - value_a
            found.append(Difference(sums.runs[a], sums.runs[b], name, value_a, value_b, gap, low, high, p, None, n))
    return corrected(found)


def of_both(sums: Totals, a: int, b: int) -> Totals:
    """Runs `a` and `b` with nothing above and below a figure where a prompt does not define it for both."""
    up, down = sums.up[[a, b]], sums.down[[a, b]]
    both = (down > 0).all(0)
    runs, left_out = [sums.runs[a], sums.runs[b]], [sums.left_out[a], sums.left_out[b]]
    return replace(sums, runs=runs, up=up * both, down=down * both, left_out=left_out)


def permutation_p(pair: Totals, m: int, permutations: int = PERMUTATIONS) -> float | None:
    """The share of swaps of two models' answers, prompt by prompt, with as large a difference (two-sided); `pair`: of `of_both`.
    Null below two prompts."""
    from scipy.stats import permutation_test

    defined = pair.down[0, m] > 0
    n = int(defined.sum())
    if n < 2:
        return None
    up, down = pair.up[:, m, defined].ravel(), pair.down[:, m, defined].ravel()

    def difference(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        return up[other].sum(axis) / down[other].sum(axis) - up[one].sum(axis) / down[one].sum(axis)

    test = permutation_test(
        (np.arange(n), np.arange(n, 2 * n)), difference, permutation_type="samples", vectorized=True,
        n_resamples=min(permutations, max(999, 20_000_000 // n)), batch=max(1, 2_000_000 // n),
        rng=np.random.default_rng(SEED),
    )  # fmt: skip
    # scipy's own p takes as ties what is closer than sums of thirds in two orders are.
    swaps, seen = test.null_distribution, test.statistic
    one_sided = min((swaps <= seen + SAME).sum(), (swaps >= seen - SAME).sum())
    sampled = len(swaps) < 2**n  # and then what was seen is one of them (Phipson and Smyth 2010, as scipy does)
    return min(1.0, float(2 * (one_sided + sampled) / (len(swaps) + sampled)))


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
