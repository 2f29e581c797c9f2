"""Rewards that are somebody's own: any function of the annotated batch, or of TRL's keyword arguments.

    def novelty(batch, rec_num): …        # of the annotated batch (`oracle.annotate`), and K where it asks for that
    def brevity(completions, **_): …      # of TRL's keyword arguments, one element a completion in each

Both return (N, K) numbers, NaN where they have no say; K + 1 slots where the end of a list is credited (`end_credit`).
"""

import inspect
from collections.abc import Callable

import numpy as np

from oracle import UserError
from oracle.annotate import Annotator
from oracle.cut_off import without_open_entries
from oracle.rewards import REWARD_NAMES
from trainer.rewards import RankRewardFunc, answer_text


def as_rank_reward(function: Callable, annotator: Annotator | None, rec_num: int) -> RankRewardFunc:
    """The function as the trainer calls it, with TRL's keyword arguments.

    Raises:
        UserError: a function of neither kind, or one of the annotated batch where there is no annotator to annotate it.
    """
    if not takes_batch(function):
        return function
    if annotator is None:
        raise UserError(f"reward {name_of(function)}: needs the annotated batch; name the trainer's annotator")
    wanted = {"rec_num": rec_num} if "rec_num" in inspect.signature(function).parameters else {}

    def reward(completions, groundtruth_with_release_year=None, seen_titles=None, constraints=None, ended=None, **_):
        texts = [answer_text(completion) for completion in completions]
        batch = annotator.annotate(texts, groundtruth_with_release_year, seen_titles, constraints)
        return function(without_open_entries(batch, ended), **wanted)

    reward.__name__ = name_of(function)
    return reward


def rank_table(function: Callable, given: object, n: int, n_slots: int) -> np.ndarray:
    """What a reward function gave for n answers, as (n, n_slots) float64; slots that it does not speak of are 0.

    Raises:
        UserError: anything but numbers (NaN among them) of so many rows and at most so many columns.
    """
    try:
        ranks = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{name_of(function)} gives no table of numbers: expected (completions, ranks)") from None
    if ranks.ndim != 2 or len(ranks) != n:
        raise UserError(
            f"{name_of(function)} gives rewards of shape {ranks.shape}: expected (completions, ranks), {n} rows here"
        )
    if np.isinf(ranks).any():
        raise UserError(f"{name_of(function)} gives infinite rewards: expected numbers, or NaN to leave a rank out")
    if ranks.shape[1] > n_slots:
        raise UserError(
            f"{name_of(function)} gives {ranks.shape[1]} slots, and there are {n_slots}: set rec_num to the same K, and "
            "end_credit=True for a reward of the list's end"
        )
    return np.pad(ranks, ((0, 0), (0, n_slots - ranks.shape[1])))


def takes_batch(function: Callable) -> bool:
    """Whether it takes the annotated batch, and not TRL's keyword arguments; raises `UserError` for neither."""
    parameters = inspect.signature(function).parameters
    if "completions" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return False
    if not (parameters and set(list(parameters)[1:]) <= {"rec_num"}):
        raise UserError(
            f"reward {name_of(function)}({', '.join(parameters)}): expected (batch), (batch, rec_num) or (completions, **columns)"
        )
    return True


def is_own(function: Callable) -> bool:
    """Whether a reward function is none of `trainer.rewards`."""
    return not hasattr(function, "annotator")


def own_names(functions: list[Callable]) -> list[str]:
    """Their names in the log; raises `UserError` for one that is called like a reward with a column of its own."""
    own = [name_of(function) for function in functions if is_own(function)]
    if taken := [name for name in own if name in REWARD_NAMES]:
        raise UserError(f"reward {taken[0]}: the log has a column for the reward of that name; call yours otherwise")
    return own


def check_names(functions: list[Callable]) -> None:
    """Raises `UserError` for two of one name, by which metrics and the log tell them."""
    names = list(map(name_of, functions))
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"two reward functions are called {twice[0]!r}: name one otherwise")


def name_of(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)
