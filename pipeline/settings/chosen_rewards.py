"""Which rewards the settings turn on, their weights and their functions."""

import importlib
import os
import sys
from collections.abc import Callable

import trainer.rewards
from oracle import UserError
from oracle.annotate import Annotator
from oracle.rewards import REWARD_NAMES, REWARDS, Reward
from pipeline.settings.flags import TrainSettings
from trainer.own_rewards import name_of, takes_batch


def reward_names(settings: TrainSettings) -> list[str]:
    """The rewards that are on, in the order of their weights; own ones last."""
    return [reward.name for reward in _on(settings)] + own_reward_names(settings)


def reward_weights(settings: TrainSettings) -> list[float]:
    return settings.reward_weights or [1.0] * len(reward_names(settings))


def reward_functions(settings: TrainSettings, annotator: Annotator) -> list[Callable]:
    """The functions of `reward_names`, in that order."""
    functions = []
    for reward in _on(settings):
        make = getattr(trainer.rewards, f"make_{reward.name}_func")
        own = {setting.name: getattr(settings, setting.name) for setting in reward.settings}
        functions.append(make(annotator, rec_num=settings.rec_num, **own))
    return [*functions, *map(own_reward, settings.reward)]


def rewards_the_end(settings: TrainSettings) -> bool:
    """Whether the end of a list is rewarded, at the rank behind its last."""
    return "end" in reward_names(settings) or settings.length_control > 0


def logged_rewards(settings: TrainSettings) -> dict[str, object]:
    """What the log's run says of rewards: the settings that they follow from, and their weights (0: off)."""
    weight = dict(zip(reward_names(settings), reward_weights(settings), strict=True))
    return {
        **{setting.name: getattr(settings, setting.name) for reward in REWARDS for setting in reward.settings},
        **{f"w_{reward.column}": weight.get(reward.name, 0.0) for reward in REWARDS},
        "own_weights": {name: weight[name] for name in own_reward_names(settings)},
    }


def own_reward_names(settings: TrainSettings) -> list[str]:
    """The names by which own rewards are logged: those of their functions."""
    return [text.rpartition(":")[2] for text in settings.reward]


def own_reward(text: str) -> Callable:
    """The function that `--reward MODULE:FUNCTION` names, of a module in this folder or of an installed one.

    Raises:
        UserError: no such module or function, one that fails when it is imported, one of other arguments, or a name that
            is taken.
    """
    module, colon, name = text.rpartition(":")
    if not (colon and module and name):
        raise UserError(f"--reward {text}: expected MODULE:FUNCTION, such as my_rewards:novelty for my_rewards.py here")
    if name in REWARD_NAMES:
        raise UserError(f"--reward {text}: the log has a column for the reward {name}; call yours otherwise")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        function = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # whatever a person's own module raises
        raise UserError(f"--reward {text}: importing {module} failed ({type(error).__name__}: {error})") from None
    if not callable(function):
        raise UserError(f"--reward {text}: {module} has no function {name}")
    takes_batch(function)
    if name_of(function) != name:
        function.__name__ = name  # it is logged as it was asked for
    return function


def _on(settings: TrainSettings) -> list[Reward]:
    return [reward for reward in REWARDS if reward.switch is None or getattr(settings, reward.switch)]
