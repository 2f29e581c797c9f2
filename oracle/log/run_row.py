"""The one row of run.parquet: the settings of a run, as they are written, and as they are believed when they are read."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from oracle.base.errors import UserError
from oracle.log.schema import MOST_RANKS, RUN
from oracle.rewards import REWARDS, SETTINGS

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


def run_table(run: dict) -> pa.Table:
    """The one row of run.parquet from a mapping; settings that are left out take DESIGN's defaults.

    Raises:
        UserError: a missing or unknown name, or a value outside its choices.
    """
    row = {**_RUN_DEFAULTS, **run}
    if missing := [name for name in RUN.names if name not in row]:
        raise UserError(f"the run lacks {', '.join(missing)}: give them to LogWriter")
    if unknown := sorted(set(row) - set(RUN.names)):
        raise UserError(f"the run log has no setting {', '.join(unknown)}: put it in 'settings' (JSON)")
    _check_settings(row)
    try:
        return pa.Table.from_pylist([row], schema=RUN)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise UserError(f"the run cannot be logged: {error}") from None


def is_run(table: pa.Table) -> bool:
    """Whether the table of a run.parquet is one that a writer of some version has left; the earlier ones lack columns."""
    if table.num_rows != 1 or not {"run_id", "kind", "rec_num", "started_at"} <= set(table.column_names):
        return False
    if table["started_at"].null_count:
        return False
    [row] = table.drop_columns(["started_at"]).to_pylist()  # Python has no times beyond the year 9999
    try:
        _check_settings({**_RUN_DEFAULTS, **row, "unrated": row.get("unrated") or "safe"})
    except UserError:
        return False
    return True


def _check_settings(row: Mapping) -> None:
    for name, choices in _CHOICES.items():
        if row[name] not in choices:
            raise UserError(f"{name} {row[name]!r}: expected one of {', '.join(choices)}")
    for name in ("rec_num", "num_generations"):
        if not (isinstance(row[name], int | np.integer) and row[name] >= 1):
            raise UserError(f"{name} {row[name]!r}: expected a whole number of at least 1")
    last = row["rec_num"] + (isinstance(row["lambda_end"], int | float) and row["lambda_end"] > 0)
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
        if not (isinstance(value, int | float | np.number) and np.isfinite(value)):
            raise UserError(f"{name} {value!r}: expected a finite number")
    if len(set(own)) < len(own):
        raise UserError("own_weights: expected one weight for each name")


def _pairs(weights: Mapping | list | None) -> list[tuple]:
    return list(weights.items() if isinstance(weights, Mapping) else weights or [])
