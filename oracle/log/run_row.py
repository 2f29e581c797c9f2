"""The one row of run.parquet: the settings of a run, as they are written, and as they are believed when they are read."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from oracle.base.errors import UserError
from oracle.base.printable import storable_text
from oracle.base.thresholds import in_risk_digits
from oracle.log.schema import MOST_RANKS, RUN
from oracle.rewards import REWARD_NAMES, REWARDS, SETTINGS

MOST_SETTINGS = 100_000_000
"""Bytes of a run's row, as Parquet writes it, that readers take."""

_MOST_WRITTEN = MOST_SETTINGS * 9 // 10  # in memory, so that it is no more than that in Parquet
_LARGEST = sys.float_info.max
_CHOICES = {
    "kind": ("train", "evaluate"),
    **{setting.name: setting.choices for setting in SETTINGS if setting.choices},
    "unresolved": ("safe", "violation", "ignore"),
    "unrated": ("safe", "violation", "ignore"),
    "advantage_mode": ("grpo", "gdpo"),
}
_RUN_DEFAULTS = {
    "model": None, "dataset": None, "num_generations": 1, "risk_threshold": 0.66, "unresolved": "safe", "unrated": "safe",
    "length_control": 0.0, "advantage_mode": "grpo", "own_weights": {},
    **{setting.name: setting.default for setting in SETTINGS}, **{f"w_{reward.column}": 1.0 for reward in REWARDS},
    "settings": None, "versions": None, "git": None,
}  # fmt: skip
_EVER = {
    "run_id", "kind", "started_at", "model", "dataset", "rec_num", "num_generations", "reward_func", "lambda_safe", "penalty_safe",
    "safety_discount", "lambda_count", "target_count", "lambda_end", "lambda_repeat", "risk_threshold", "unresolved",
    "advantage_mode", "w_rel", "w_safe", "w_count", "w_end", "w_repeat", "settings", "versions", "git",
}  # fmt: skip
"""The columns that every version has written: views and pages need no default for them, which a lack would make null."""


def run_table(run: dict) -> pa.Table:
    """The one row of run.parquet from a mapping; settings that are left out take DESIGN's defaults.

    Raises:
        UserError: a missing or unknown name, or a value outside its choices: whatever readers would leave out as damaged.
    """
    row = {**_RUN_DEFAULTS, **run}
    # Both may be the name of a file, and that no text.
    row |= {name: storable_text(row[name]) for name in ("model", "dataset") if isinstance(row.get(name), str)}
    if missing := [name for name in RUN.names if name not in row]:
        raise UserError(f"the run lacks {', '.join(missing)}: give them to LogWriter")
    if unknown := sorted(map(str, set(row) - set(RUN.names))):
        raise UserError(f"the run log has no setting {', '.join(unknown)}: put it in 'settings' (JSON)")
    if not isinstance(row["started_at"], datetime):
        raise UserError(f"started_at {row['started_at']!r}: expected a time (datetime), or None for now")
    try:
        row["started_at"].astimezone(UTC)
    except (OverflowError, ValueError):
        raise UserError(f"started_at {row['started_at']}: expected a time of the years 1 to 9999 in UTC") from None
    _check_settings(row)
    _check_new(row)
    row["risk_threshold"] = in_risk_digits(row["risk_threshold"])
    try:
        table = pa.Table.from_pylist([row], schema=RUN)
    except (pa.ArrowException, OverflowError, ValueError) as error:
        raise UserError(f"the run cannot be logged: {error}") from None
    if table.nbytes > _MOST_WRITTEN:
        raise UserError(f"the run's settings have {table.nbytes:,} bytes: expected {_MOST_WRITTEN:,} at most")
    _check_written(table)
    return table


def is_run(table: pa.Table) -> bool:
    """Whether the table of a run.parquet is one that a writer of some version has left; the earlier ones lack columns."""
    if table.num_rows != 1 or not set(table.column_names) >= _EVER:
        return False
    try:
        _check_written(table)
    except UserError:
        return False
    return True


def filled(row: Mapping) -> dict[str, Any]:
    """A row as it is stored, with what earlier versions did, where it says nothing of what they did not know."""
    unsaid = [name for name in ("unrated", "length_control", "own_weights") if row.get(name) is None]
    return {**_RUN_DEFAULTS, **row, **{name: _RUN_DEFAULTS[name] for name in unsaid}}


def _check_written(table: pa.Table) -> None:
    """What is asked of a row as it is stored: by readers, and by the writer, which leaves nothing that they would leave out."""
    if table["started_at"].null_count:
        raise UserError("started_at is null: expected a time")
    [row] = table.drop_columns(["started_at"]).to_pylist()  # Python has no times beyond the year 9999
    _check_settings(filled(row))


def _check_settings(row: Mapping) -> None:
    for name, choices in _CHOICES.items():
        if not (isinstance(row[name], str) and row[name] in choices):
            raise UserError(f"{name} {row[name]!r}: expected one of {', '.join(choices)}")
    for name in ("rec_num", "num_generations"):
        if not (isinstance(row[name], int | np.integer) and row[name] >= 1):
            raise UserError(f"{name} {row[name]!r}: expected a whole number of at least 1")
    last = int(row["rec_num"]) + (isinstance(row["lambda_end"], int | float) and row["lambda_end"] > 0)
    if last > MOST_RANKS:  # the end of a list is rewarded one rank behind the last
        raise UserError(f"rec_num {row['rec_num']} makes {last} ranks a list: expected {MOST_RANKS} at most")
    own = [f"own_weights of {name}" for name, _ in _pairs(row["own_weights"])]
    numbers = [name for name in _RUN_DEFAULTS if isinstance(_RUN_DEFAULTS[name], float) and name != "length_control"]
    values = {name: row[name] for name in numbers} | dict(
        zip(own, (w for _, w in _pairs(row["own_weights"])), strict=True)
    )
    if row["length_control"] is not None:
        values["length_control"] = row["length_control"]
    for name, value in values.items():
        if not (isinstance(value, int | float | np.integer | np.floating) and -_LARGEST <= value <= _LARGEST):
            raise UserError(f"{name} {value!r}: expected a finite number")
    if len(set(own)) < len(own):
        raise UserError("own_weights: expected one weight for each name")


def _check_new(row: Mapping) -> None:
    """What is asked of new runs alone, as earlier writers let it through."""
    for setting in SETTINGS:
        least = 1 if setting.type is int else 0
        if isinstance(row[setting.name], int | float | np.number) and row[setting.name] < least:
            raise UserError(f"{setting.name} {row[setting.name]!r}: expected a number of at least {least}")
    if not 0 < in_risk_digits(row["risk_threshold"]) <= 1:
        raise UserError(f"risk_threshold {row['risk_threshold']!r}: expected a number above 0, and at most 1")
    if taken := [name for name, _ in _pairs(row["own_weights"]) if name in REWARD_NAMES]:
        raise UserError(
            f"own_weights of {taken[0]}: the log has a column for the reward of that name; call yours otherwise"
        )


def _pairs(weights: Any) -> list[tuple]:
    """The names and weights of own_weights: a mapping as it is given, a list of pairs as Arrow gives it back."""
    pairs = list(weights.items()) if isinstance(weights, Mapping) else [] if weights is None else weights
    if not (isinstance(pairs, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs)):
        raise UserError(f"own_weights {weights!r}: expected weights by their names")
    return pairs
