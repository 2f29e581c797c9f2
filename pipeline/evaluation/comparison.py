"""Models against each other, paired by prompt: differences with intervals, permutation tests, and what follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from oracle.base.nouns import FILMS, Nouns
from pipeline.evaluation.figures import SEED, Figure, Totals, interval, ratios

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


def conclusion(
    names: dict[str, str],
    figures: list[dict[str, Figure]],
    found: Sequence[Difference],
    prompts: int,
    k: int = 20,
    nouns: Nouns = FILMS,
) -> str:
    """One sentence on what can be concluded and what can't; `names`: run id -> model, in the order of `figures`."""
    if len(names) < 2:
        return _alone(next(iter(names.values()), "The model"), figures[0], k, nouns) if figures else ""
    if not prompts:
        return "The models have no prompt in common, so nothing can be concluded about their differences."
    everyone = "both" if len(names) == 2 else f"all {len(names)}"
    parts = [part for part in (_about(name, names, found, k) for name in ("svr", "recall", "ndcg")) if part]
    unknown = unknown_order(names, figures, k, nouns)
    text = f"On the {prompts} prompts that {everyone} answered, " + "; ".join(parts or ["no figure can be compared"])
    return text + (f". {unknown}" if unknown else ".")


def _alone(name: str, figures: dict[str, Figure], k: int, nouns: Nouns) -> str:
    svr = figures.get(f"svr_{k}")
    if svr is None or svr.value is None:
        return f"No prompt of {name} has constraints and {nouns.many}, so no violation rate can be concluded."
    between = "" if svr.low is None or svr.high is None else f" (95 % interval {svr.low:.1%} to {svr.high:.1%})"
    high = figures[f"svr_high_{k}"].value
    bounds = "" if high is None else f", and at most {high:.1%} if all that is unknown were violations"
    films = f"{svr.value:.1%} of the {nouns.many} that {name} lists in its top {k}"
    return f"{films} violate a constraint{between}{bounds}, over {svr.prompts} prompts."


# Figure -> its name, what the better model is, and whether less of it is better.
_SAID = {
    "svr": ("SVR", "safer than", True),
    "recall": ("recall", "better than", False),
    "ndcg": ("NDCG", "better than", False),
}


def _about(figure: str, names: dict[str, str], found: Sequence[Difference], k: int) -> str:
    rows = [d for d in found if d.figure == f"{figure}_{k}"]
    if not rows:
        return ""
    label, verb, less_is_better = _SAID[figure]
    sure = []
    for d in rows:
        if d.is_significant:
            first, second = (d.a, d.b) if (d.value_a < d.value_b) == less_is_better else (d.b, d.a)
            values = {d.a: d.value_a, d.b: d.value_b}
            sure.append(
                f"{names[first]} is {verb} {names[second]} ({_show(figure, values[first])} against "
                f"{_show(figure, values[second])}, {_p(d.p_holm)})"
            )
    open_pairs = [f"{names[d.a]} and {names[d.b]}" for d in rows if not d.is_significant]
    said = f"by {label}@{k} " + " and ".join(sure) if sure else ""
    if not open_pairs:
        return said
    if not sure:
        one = rows[0]
        both = f"{_show(figure, one.value_a)} against {_show(figure, one.value_b)}, {_p(one.p_holm)}"
        return f"by {label}@{k} no difference can be told from chance" + ("" if len(rows) > 1 else f" ({both})")
    return f"{said}, while between {' and between '.join(open_pairs)} no difference can be told from chance"


def unknown_order(names: dict[str, str], figures: list[dict[str, Figure]], k: int = 20, nouns: Nouns = FILMS) -> str:
    """Whether what is unknown could turn the order of the models by SVR around; "" where nothing is known about that."""
    bounds = [(f.get(f"svr_low_{k}"), f.get(f"svr_high_{k}")) for f in figures]
    if any(low is None or high is None or low.value is None or high.value is None for low, high in bounds):
        return ""
    models, open_pairs = list(names.values()), []
    for a, b in combinations(range(len(figures)), 2):
        (low_a, high_a), (low_b, high_b) = bounds[a], bounds[b]
        if low_a.value <= high_b.value and low_b.value <= high_a.value:  # type: ignore[union-attr, operator]
            open_pairs.append(f"{models[a]} and {models[b]}")
    if not open_pairs:
        return f"Whatever the unknown {nouns.many} are, the order of the models by SVR stays as it is."
    return f"The order of {', of '.join(open_pairs)} by SVR depends on {nouns.many} of which nothing is known."


def _show(figure: str, value: float) -> str:
    return f"{value:.1%}" if figure.startswith("svr") else f"{value:.3f}"


def _p(p: float | None) -> str:
    return "untested" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
