"""The rewards of a rank, each told once: flags, weights, columns of the log, chips and the table in the docs follow.

A further one is a `Reward` here, a function `make_<name>_func` of its settings (trainer/rewards.py), its formula in SQL, by
which the log is checked (sql/views/what_if.sql), and another number of the log's format, as it has one more column
(oracle/log/folders.py).
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Setting:
    """A setting of a run that a reward follows from: a flag, and a column of `runs`.

    Attributes:
        help: of the flag.
        choices: what a text may be. A number is at least 0, a whole one at least 1.
        needs: another flag without which it does nothing.
    """

    name: str
    default: Any
    type: type[float] | type[int] | type[str]
    help: str
    choices: tuple[str, ...] = ()
    needs: str | None = None


@dataclass(frozen=True)
class Reward:
    """One reward.

    Attributes:
        name: of its function, in metrics and in the order of `--reward_weights`.
        column: what its columns are called behind r_ (reward, before its weight) and w_ (weight).
        label: what people read, on chips and in the sentence of `why`.
        formula: what it is at rank k, in words.
        settings: what it follows from.
        switch: the setting that turns it on where it is not 0; None: it is always on.
        of_list: whether it rewards the list, and is there also at ranks whose film is ignored.
    """

    name: str
    column: str
    label: str
    formula: str
    settings: tuple[Setting, ...]
    switch: str | None = None
    of_list: bool = False


REWARDS = (
    Reward(
        "relevance", "rel", "relevance",
        "1 / log2(k + 1) where the rank names a ground-truth title that no earlier rank claimed (exp_inf: 1; suffix_dcg: "
        "the sum over this rank and all behind it), else 0",
        (Setting("reward_func", "log_decay", str, "Relevance reward.", ("log_decay", "exp_inf", "suffix_dcg")),),
    ),
    Reward(
        "safety", "safe", "safety",
        "-λ · P where the title violates a constraint (safety_discount dcg: divided by log2(k + 1)), else 0",
        (
            Setting("lambda_safe", 1.0, float, "λ: weight of the safety penalty; 0: plain Rank-GRPO."),
            Setting("penalty_safe", 1.0, float, "P: penalty of a violation."),
            Setting(
                "safety_discount", "none", str, "dcg divides the penalty by log2(k + 1).", ("none", "dcg"),
            ),
        ),
    ),
    Reward(
        "count", "count", "count",
        "λc at every rank of a list of the target length, else -λc · |n - target| / target",
        (
            Setting("lambda_count", 0.0, float, "λc: reward of a list of the target length; 0: off."),
            Setting(
                "target_count", None, int, "Target length of a list. Left out: rec_num.", needs="lambda_count",
            ),
        ),
        switch="lambda_count", of_list=True,
    ),
    Reward(
        "end", "end", "end of list",
        "-λe at the first missing rank of a list of fewer than K titles, and at rank K + 1 of a longer one, else 0",
        (
            Setting(
                "lambda_end", 0.0, float,
                "Penalty of ending a list early or running on past K, at the token that does it; 0: off.",
            ),
        ),
        switch="lambda_end", of_list=True,
    ),
    Reward(
        "repeat", "repeat", "repetition",
        "-λr where the rank names what an earlier rank named, else 0",
        (Setting("lambda_repeat", 0.0, float, "Penalty of a film that an earlier rank named; 0: off."),),
        switch="lambda_repeat",
    ),
)  # fmt: skip
REWARD_NAMES = frozenset(reward.name for reward in REWARDS)
SETTINGS = tuple(setting for reward in REWARDS for setting in reward.settings)


def reward_kinds() -> list[dict[str, Any]]:
    """`REWARDS` as rows: position (from 1), name, column, label, formula, settings (names)."""
    return [
        {
            "position": position,
            **{field: getattr(reward, field) for field in ("name", "column", "label", "formula")},
            "settings": [setting.name for setting in reward.settings],
        }
        for position, reward in enumerate(REWARDS, 1)
    ]
