"""Whether the run of a log says what its trainer does: from it, and from nothing else, figures and rewards follow later."""

import json
from collections.abc import Mapping
from typing import Any

from oracle import UserError
from oracle.annotate import Annotator
from oracle.base.thresholds import RISK_DIGITS, in_risk_digits
from oracle.log import LogWriter
from oracle.rewards import REWARDS
from trainer.config import RankGRPOConfig
from trainer.own_rewards import is_own, name_of, own_names
from trainer.rewards import RankRewardFunc

_JUDGED_BY = ("risk_threshold", "unresolved", "unrated")
_IN_SETTINGS = ("missing_ranks", "end_credit")
"""What a run says in its settings (JSON), as it has no column of its own."""


def check_log(
    log: LogWriter, functions: list[RankRewardFunc], args: RankGRPOConfig, annotator: Annotator, in_training: bool
) -> None:
    """Raises `UserError` where the log's run has another K, policy, weight, λ … than the trainer; all of them are named.

    And for a trainer without relevance or safety: what they are at each rank is computed again from any log.

    Args:
        in_training: its steps are those of training, each with `args.num_generations` answers to a prompt; else evaluations.
    """
    said, done = _said(log.run), _done(functions, args, annotator)
    names = list(map(name_of, functions))
    if lacking := [name for name in ("relevance", "safety") if name not in names]:
        raise UserError(
            f"a log holds the {' and '.join(lacking)} of each rank, and the trainer has no such reward: add "
            f"{' and '.join(f'make_{name}_func' for name in lacking)} to reward_funcs, of weight 0 in reward_weights"
        )
    if (threshold := log.run["risk_threshold"]) != in_risk_digits(threshold):
        raise UserError(
            f"run {log.run_id} was begun with risk_threshold {threshold}, of which {RISK_DIGITS} digits count now: "
            "begin another run"
        )
    of_evaluations = args.num_generations_eval or args.num_generations
    done["kind"] = "train" if in_training else "evaluate"
    done["num_generations"] = args.num_generations if in_training else of_evaluations
    if other := {name: value for name, value in done.items() if said.get(name) != value}:
        if noted := {name: other.pop(name) for name in _IN_SETTINGS if name in other}:
            other["settings"] = json.dumps(noted)
        given = ", ".join(f"{name!r}: {value!r}" for name, value in other.items())
        raise UserError(f"the log's run says otherwise than the trainer: begin it with LogWriter(root, {{…, {given}}})")


def check_functions(functions: list[RankRewardFunc], args: RankGRPOConfig, annotator: Annotator | None) -> None:
    """Raises `UserError` for one of our functions that was made for another K, or that judges otherwise than `annotator`."""
    for function in functions:
        if is_own(function):
            continue
        judging = _judging(function.annotator)  # type: ignore[attr-defined]
        if annotator is not None and judging != (asked := _judging(annotator)):
            raise UserError(
                f"reward {name_of(function)} judges by {judging}, and the trainer by {asked}: make all of one annotator"
            )
        if (made_for := function.rec_num) != args.rec_num:  # type: ignore[attr-defined]
            raise UserError(
                f"reward {name_of(function)} is made for rec_num={made_for}, and the trainer has {args.rec_num}"
            )


def _judging(annotator: Annotator) -> dict[str, Any]:
    oracle = annotator.oracle
    of_oracle = {"store": str(oracle.store), **{name: getattr(oracle, name) for name in _JUDGED_BY}}
    return of_oracle | {"catalog": annotator.catalog_id, "thought_tags": annotator.thought_tags}


def _said(run: Mapping) -> dict[str, Any]:
    """The run's row, with what stands for a value that it leaves out."""
    try:
        noted = json.loads(run["settings"] or "{}")
    except (ValueError, RecursionError):  # somebody's own text
        noted = None
    noted = noted if isinstance(noted, dict) else {}
    return {
        **run,
        "missing_ranks": noted.get("missing_ranks") or "zero",
        "end_credit": noted.get("end_credit") is True or noted.get("end_credit") == "true",  # as ranks_of_run() in SQL
        "own_weights": dict(run["own_weights"]),
        "target_count": run["target_count"] or run["rec_num"],
    }


def _done(functions: list[RankRewardFunc], args: RankGRPOConfig, annotator: Annotator) -> dict[str, Any]:
    """What the run has to say: columns of `runs`, and `_IN_SETTINGS`."""
    weights = dict(zip(map(name_of, functions), args.reward_weights or [1.0] * len(functions), strict=False))
    ours = {name_of(function): function for function in functions if not is_own(function)}
    done: dict[str, Any] = {
        "rec_num": args.rec_num,
        "advantage_mode": args.advantage_mode,
        "length_control": args.length_control,
        "missing_ranks": args.missing_ranks,
        **{name: getattr(annotator.oracle, name) for name in _JUDGED_BY},
        "own_weights": {name: weights[name] for name in own_names(functions)},
    }
    for reward in REWARDS:
        if function := ours.get(reward.name):
            done |= function.settings | {f"w_{reward.column}": weights[reward.name]}  # type: ignore[attr-defined]
        else:
            done[reward.switch or f"w_{reward.column}"] = 0.0
    if not (args.end_credit and (done["lambda_end"] or args.length_control)):  # of these it follows
        done["end_credit"] = args.end_credit
    return done
