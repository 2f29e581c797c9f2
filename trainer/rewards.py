"""Reward functions of a ranked list: each gives one number a rank. `oracle/rewards.py` says which there are, and how to add one.

A reward function takes the keyword arguments of a TRL reward function (`completions`, and the dataset's columns
`groundtruth_with_release_year`, `seen_titles`, `constraints`, one element a completion; and `ended`, whether it ended by
itself, left out: all did) and returns float64 of shape (N, K), or (N, K + 1) where it also rewards what stands behind the
last rank. NaN means: no reward here, leave this entry out of its group's mean. The trainer sets it where a list was cut
off in the middle of a title. Functions made from one `Annotator` parse and judge a batch only once between them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa

from oracle import Oracle, UserError
from oracle.annotate import AnnotatedBatch, Annotator, as_film
from oracle.cut_off import without_open_entries

RankRewardFunc = Callable[..., np.ndarray]
RelevanceKind = Literal["log_decay", "exp_inf", "suffix_dcg"]
Discount = Literal["none", "dcg"]


def discounts(rec_num: int) -> np.ndarray:
    """(K,) DCG discounts 1 / log2(k + 1), k counted from 1 (Järvelin & Kekäläinen 2002)."""
    return 1.0 / np.log2(np.arange(2, rec_num + 2))


def make_relevance_func(
    oracle: Oracle | Annotator, reward_func: RelevanceKind = "log_decay", rec_num: int = 20
) -> RankRewardFunc:
    """Reward of naming a ground-truth film that no earlier rank claimed; rel_k is 1 there, else 0.

    `log_decay`: rel_k / log2(k + 1). `exp_inf`: rel_k. `suffix_dcg`: Σ_{j >= k} rel_j / log2(j + 1), the return that
    the original Rank-GRPO code gives under the name log_decay.

    Raises:
        UserError: another `reward_func`.
    """
    if reward_func not in ("log_decay", "exp_inf", "suffix_dcg"):
        raise UserError(f"reward_func {reward_func!r}: expected log_decay, exp_inf or suffix_dcg")

    def relevance(judged: AnnotatedBatch) -> np.ndarray:
        hits = _grid(judged, "hit", rec_num)
        if reward_func == "exp_inf":
            return hits
        gains = hits * discounts(rec_num)
        return gains if reward_func == "log_decay" else gains[:, ::-1].cumsum(axis=1)[:, ::-1]

    return _reward_func("relevance", oracle, rec_num, relevance, {"reward_func": reward_func})


def make_safety_func(
    oracle: Oracle | Annotator,
    lambda_safe: float = 1.0,
    penalty_safe: float = 1.0,
    safety_discount: Discount = "none",
    rec_num: int = 20,
) -> RankRewardFunc:
    """-λ · P at every rank whose film violates an active constraint; with `dcg`, divided by log2(k + 1)."""
    if safety_discount not in ("none", "dcg"):
        raise UserError(f"safety_discount {safety_discount!r}: expected none or dcg")
    scale = discounts(rec_num) if safety_discount == "dcg" else np.ones(rec_num)

    def safety(judged: AnnotatedBatch) -> np.ndarray:
        return -lambda_safe * penalty_safe * scale * _grid(judged, "unsafe", rec_num)

    settings = {"lambda_safe": lambda_safe, "penalty_safe": penalty_safe, "safety_discount": safety_discount}
    return _reward_func("safety", oracle, rec_num, safety, settings)


def make_safe_reward_func(
    oracle: Oracle | Annotator | None = None,
    reward_func: RelevanceKind = "log_decay",
    lambda_safe: float = 1.0,
    penalty_safe: float = 1.0,
    safety_discount: Discount = "none",
    rec_num: int = 20,
    *,
    safety_oracle: Oracle | None = None,
    gt_catalog: Iterable[tuple[str, int]] | pa.Table | None = None,
) -> RankRewardFunc:
    """Relevance and safety in one: r_total = r_rel + r_safe. The trainer logs it as these two, of the same weight.

    `safety_oracle` and `gt_catalog` are the names of the method's public code: the oracle, and the ground-truth catalog in
    place of the store's, as (title, year) pairs.

    Raises:
        UserError: no oracle, or two; or a catalog beside a annotator, which has one.
    """
    if (oracle is None) == (safety_oracle is None):
        raise UserError("make_safe_reward_func: expected an oracle, as `oracle` or as `safety_oracle`")
    source = oracle if oracle is not None else safety_oracle
    assert source is not None
    if gt_catalog is None:
        annotator = Annotator.of(source)
    elif isinstance(source, Annotator):
        raise UserError("gt_catalog: the annotator has a catalog already; give it to Annotator(oracle, catalog)")
    else:
        annotator = Annotator(source, gt_catalog if isinstance(gt_catalog, pa.Table) else _catalog(gt_catalog))
    parts = [
        make_relevance_func(annotator, reward_func, rec_num),
        make_safety_func(annotator, lambda_safe, penalty_safe, safety_discount, rec_num),
    ]

    def safe_reward(**batch) -> np.ndarray:
        return np.sum([part(**batch) for part in parts], axis=0)

    safe_reward.annotator = annotator  # type: ignore[attr-defined]
    safe_reward.parts = parts  # type: ignore[attr-defined]
    return safe_reward


def _catalog(films: Iterable[tuple[str, int]]) -> pa.Table:
    pairs = [as_film(film) for film in films]
    return pa.table(
        {
            "title": pa.array([f["title"] for f in pairs], pa.string()),
            "year": pa.array([f["year"] for f in pairs], pa.int16()),
        }
    )


def make_count_func(
    oracle: Oracle | Annotator, lambda_count: float, target_count: int | None = None, rec_num: int = 20
) -> RankRewardFunc:
    """+λc on every rank of a list of `target_count` films (default K), -λc · |n - target| / target otherwise."""
    target = rec_num if target_count is None else target_count
    if target < 1:
        raise UserError(f"target_count {target}: expected at least 1")

    def count(judged: AnnotatedBatch) -> np.ndarray:
        n = _list_lengths(judged)
        per_list = np.where(n == target, lambda_count, -lambda_count * abs(n - target) / target)
        return np.repeat(per_list[:, None], rec_num, axis=1)

    settings = {"lambda_count": lambda_count, "target_count": target}
    return _reward_func("count", oracle, rec_num, count, settings, defined_without_films=True)


def make_end_func(oracle: Oracle | Annotator, lambda_end: float, rec_num: int = 20) -> RankRewardFunc:
    """-λe where a list ends early (at its first missing rank) or runs on beyond rank K (at slot K + 1): (N, K + 1).

    Needs a trainer that credits the tokens which end a list to the first missing rank (`end_credit`): without this
    reward a policy shortens its lists, because an end that avoids a penalty costs nothing.
    """

    def end(judged: AnnotatedBatch) -> np.ndarray:
        n = _list_lengths(judged)
        rewards = np.zeros((len(n), rec_num + 1))
        wrong = n != rec_num
        rewards[wrong, np.minimum(n[wrong], rec_num)] = -lambda_end
        return rewards

    return _reward_func("end", oracle, rec_num, end, {"lambda_end": lambda_end}, defined_without_films=True)


def make_repeat_func(oracle: Oracle | Annotator, lambda_repeat: float, rec_num: int = 20) -> RankRewardFunc:
    """-λr at every rank that names a film which an earlier rank of the same list named."""

    def repeat(judged: AnnotatedBatch) -> np.ndarray:
        return -lambda_repeat * _grid(judged, "repeated", rec_num)

    return _reward_func("repeat", oracle, rec_num, repeat, {"lambda_repeat": lambda_repeat})


def _reward_func(
    name: str,
    oracle: Oracle | Annotator,
    rec_num: int,
    rewards_of: Callable[[AnnotatedBatch], np.ndarray],
    settings: Mapping[str, object],
    defined_without_films: bool = False,
) -> RankRewardFunc:
    annotator = Annotator.of(oracle)

    def reward(
        completions: Sequence,
        groundtruth_with_release_year: Sequence | None = None,
        seen_titles: Sequence | None = None,
        constraints: Sequence | None = None,
        ended: Sequence[bool] | None = None,
        **_: object,
    ) -> np.ndarray:
        judged = annotator.annotate(
            [answer_text(c) for c in completions], groundtruth_with_release_year, seen_titles, constraints
        )
        judged = without_open_entries(judged, ended)
        rewards = rewards_of(judged)
        if not defined_without_films:
            rewards[:, :rec_num][_grid(judged, "ignored", rec_num) > 0] = np.nan
        return rewards

    reward.__name__ = name
    reward.annotator = annotator  # type: ignore[attr-defined]
    reward.settings = settings  # type: ignore[attr-defined]
    reward.rec_num = rec_num  # type: ignore[attr-defined]
    return reward


def answer_text(completion: object) -> str:
    """The text of a TRL completion: a string, or a list of messages of which the last is the answer."""
    return completion if isinstance(completion, str) else completion[-1]["content"]  # type: ignore[index]


def _list_lengths(judged: AnnotatedBatch) -> np.ndarray:
    return np.bincount(judged.entries["completion"].to_numpy(), minlength=len(judged.texts))


def _grid(judged: AnnotatedBatch, column: str, rec_num: int) -> np.ndarray:
    """(N, K) float64 of a boolean column, 0 where a list has no such rank.

    `unsafe` is not is_safe; `ignored` is an entry without a verdict (unresolved, and the oracle says to ignore those).
    """
    entries = judged.entries
    if column in ("unsafe", "ignored"):
        safe = entries["is_safe"].to_numpy(zero_copy_only=False)
        unknown = entries["is_safe"].is_null().to_numpy()
        values = unknown if column == "ignored" else ~unknown & (safe == False)  # noqa: E712 - nulls make it object
    else:
        values = entries[column].to_numpy()
    return on_grid(judged, values, rec_num)


def on_grid(batch: AnnotatedBatch, values: Sequence[float] | np.ndarray, rec_num: int) -> np.ndarray:
    """(N, K) float64 of values of `batch.entries`, one a row; 0 where a list has no such rank."""
    grid = np.zeros((len(batch.texts), rec_num))
    rank = batch.entries["rank"].to_numpy() - 1
    kept = rank < rec_num
    grid[batch.entries["completion"].to_numpy()[kept], rank[kept]] = np.asarray(values)[kept]
    return grid
