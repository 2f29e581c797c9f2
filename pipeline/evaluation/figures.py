"""The figures of evaluated models, each a ratio of sums over prompts, with intervals from resampled prompts.

Answers to one prompt depend on each other, so prompts are what is drawn, with all their answers (a cluster bootstrap:
Efron & Tibshirani 1993, ch. 8). The draws are the same for all models, which makes differences those of pairs.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from oracle.base.resources import read_sql
from oracle.log import open_log, query
from oracle.store import log_root

CUTOFFS = (5, 10, 15, 20)
RESAMPLES = 1000
SEED = 20261127
Positions = Literal["emitted", "eligible"]
Averaging = Literal["micro", "macro"]

# figure at K -> (summed above, summed below), columns of evaluation_totals.sql
QUALITY = {
    "recall": ("recall", "recall_lists"),
    "recall_safe": ("recall_safe", "safe_recall_lists"),
    "ndcg": ("ndcg", "recall_lists"),
    "count": ("films", "lists"),
    "hit_rate": ("hits", "films"),
    "catalog_match": ("in_catalog", "films"),
    "duplicate_rate": ("repeated", "films"),
    "unresolved_rate": ("unresolved", "films"),
    "unrated_rate": ("unrated", "films"),
    "ambiguous_rate": ("ambiguous", "films"),
    "sensitivity_dcg": ("sensitivity", "lists"),
}
SAFETY: dict[Averaging, dict[str, tuple[str, str]]] = {
    "micro": {
        "svr": ("violations", "films"),
        "svr_low": ("known_violations", "films"),
        "svr_high": ("highest", "films"),
        "svr_known": ("known_violations", "known"),
    },
    "macro": {
        "svr": ("violations_share", "lists_with_films"),
        "svr_low": ("low_share", "lists_with_films"),
        "svr_high": ("high_share", "lists_with_films"),
        "svr_known": ("known_share", "lists_with_known"),
    },
}


@dataclass(frozen=True)
class Figure:
    """A figure, and its 95 % percentile interval; null where nothing defines it, or one prompt alone does."""

    value: float | None
    low: float | None
    high: float | None
    prompts: int
    """Prompts that it is defined for."""

    def as_dict(self) -> dict:
        return {"value": self.value, "low": self.low, "high": self.high, "prompts": self.prompts}


@dataclass(frozen=True)
class Totals:
    """Sums of several runs over the prompts that all of them answered.

    Attributes:
        runs, prompts, names: R run ids, n prompt ids, M names of figures such as "svr_20", and "trait" names as "svr_20: gore".
        up, down: (R, M, n) float64; a figure is Σ up / Σ down over prompts, 0 / 0 where a prompt has no part in it.
        left_out: R numbers of prompts that a run answered and another did not.
        constrained: whether the figures are over prompts with constraints; else no prompt has any.
    """

    runs: list[str]
    prompts: list[str]
    names: list[str]
    up: np.ndarray
    down: np.ndarray
    left_out: list[int]
    constrained: bool

    def place(self, name: str) -> int:
        return self.names.index(name)


def totals(store: str, runs: Sequence[str], positions: Positions = "emitted", averaging: Averaging = "micro") -> Totals:
    """Read the sums of `runs` from the log."""
    with open_log(log_root(store)) as log:
        params = {"runs": list(runs), "positions": positions}
        sums = query(log, read_sql("log/evaluation_totals"), params)
        traits = query(log, read_sql("log/evaluation_traits"), params)
    return totals_of(sums, traits, list(runs), averaging)


def totals_of(sums: pa.Table, traits: pa.Table, runs: list[str], averaging: Averaging = "micro") -> Totals:
    """Totals from the rows of evaluation_totals.sql and evaluation_traits.sql."""
    columns = {name: np.asarray(sums[name].to_pylist()) for name in ("run_id", "prompt_id", "constrained", "k")}
    constrained = bool(columns["constrained"].any())
    counts = columns["constrained"] if constrained else np.ones(len(sums), bool)
    answered = [set(columns["prompt_id"][counts & (columns["run_id"] == run)]) for run in runs]
    prompts = sorted(set.intersection(*answered)) if answered else []
    shape = (len(runs), len(prompts))
    run_of = {run: i for i, run in enumerate(runs)}
    prompt_of = {prompt: i for i, prompt in enumerate(prompts)}

    def grid(rows: np.ndarray, table: dict[str, np.ndarray], values: np.ndarray) -> np.ndarray:
        filled = np.zeros(shape)
        run = np.array([run_of[r] for r in table["run_id"][rows]], int)
        prompt = np.array([prompt_of.get(p, -1) for p in table["prompt_id"][rows]], int)
        kept = prompt >= 0
        np.add.at(filled, (run[kept], prompt[kept]), values[rows][kept])
        return filled

    values = {name: _numbers(sums, name) for name in sums.column_names if name not in columns}
    values["highest"] = values["known_violations"] + values["unknown"]
    names, up, down = [], [], []
    for k in CUTOFFS:
        rows = counts & (columns["k"] == k)
        for name, (above, below) in {**SAFETY[averaging], **QUALITY}.items():
            if name.startswith("svr") and not constrained:
                continue
            # A prompt has a part in a figure where both of its sums are known.
            known = ~np.isnan(values[above]) & ~np.isnan(values[below])
            names.append(f"{name}_{k}")
            up.append(grid(rows, columns, np.where(known, values[above], 0)))
            down.append(grid(rows, columns, np.where(known, values[below], 0)))
    names.append("films_per_list")
    rows = counts & (columns["k"] == CUTOFFS[-1])
    up.append(grid(rows, columns, values["entries"]))
    down.append(grid(rows, columns, values["lists"]))
    by_trait = {name: np.asarray(traits[name].to_pylist()) for name in ("run_id", "prompt_id", "trait", "k")}
    trait_values = {name: _numbers(traits, name) for name in ("violations", "films")}
    for trait in sorted(set(by_trait["trait"])):
        for k in CUTOFFS:
            rows = (by_trait["trait"] == trait) & (by_trait["k"] == k)
            names.append(f"svr_{k}: {trait}")
            up.append(grid(rows, by_trait, trait_values["violations"]))
            down.append(grid(rows, by_trait, trait_values["films"]))
    return Totals(
        runs, prompts, names, np.stack(up, 1), np.stack(down, 1),
        [len(own) - len(prompts) for own in answered], constrained,
    )  # fmt: skip


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return np.array([np.nan if value is None else float(value) for value in table[name].to_pylist()], np.float64)


def ratios(up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Σ up / Σ down over the last axis; NaN where nothing is below."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return up.sum(-1) / down.sum(-1)


def resampled(sums: Totals, resamples: int = RESAMPLES) -> np.ndarray | None:
    """(R, M, B) figures over B draws of the prompts with replacement, the same for all runs; null below two prompts."""
    from scipy.stats import bootstrap

    n = len(sums.prompts)
    if n < 2:
        return None
    shape = sums.up.shape[:2]
    up, down = sums.up.reshape(-1, n), sums.down.reshape(-1, n)

    def figures(drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        times = np.stack([np.bincount(row, minlength=n) for row in drawn.reshape(-1, n)]).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (up @ times.T / (down @ times.T)).reshape(len(up), *drawn.shape[:-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # figures without a value have no interval either
        drawn = bootstrap(
            (np.arange(n),), figures, n_resamples=resamples, method="percentile", vectorized=True,
            batch=max(1, 4_000_000 // n), rng=np.random.default_rng(SEED),
        )  # fmt: skip
    return drawn.bootstrap_distribution.reshape(*shape, resamples)


def interval(draws: np.ndarray | None, prompts: int) -> tuple[float | None, float | None]:
    """The 95 % percentile interval of (B,) draws, over those in which the figure is defined; null below two `prompts` that
    define it, as all draws of one prompt are the same."""
    if draws is None or prompts < 2:
        return None, None
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return float(low), float(high)


def figures(sums: Totals, draws: np.ndarray | None) -> list[dict[str, Figure]]:
    """Name -> figure, for each run."""
    values = ratios(sums.up, sums.down)
    found = []
    for r in range(len(sums.runs)):
        of_run = {}
        for m, name in enumerate(sums.names):
            value = None if np.isnan(values[r, m]) else float(values[r, m])
            prompts = int((sums.down[r, m] > 0).sum())
            of_run[name] = Figure(value, *interval(None if draws is None else draws[r, m], prompts), prompts)
        found.append(of_run)
    return found
