"""Which rewards the settings turn on, their weights and their functions."""

from oracle.annotate import Judge
from pipeline.settings.fields import TrainSettings
from trainer.rewards import (
    RankRewardFunc,
    make_count_func,
    make_end_func,
    make_relevance_func,
    make_repeat_func,
    make_safety_func,
)


def reward_names(settings: TrainSettings) -> list[str]:
    """The rewards that are on, in the order of their weights."""
    optional = {"count": settings.lambda_count, "end": settings.lambda_end, "repeat": settings.lambda_repeat}
    return ["relevance", "safety", *(name for name, weight in optional.items() if weight)]


def reward_weights(settings: TrainSettings) -> list[float]:
    return settings.reward_weights or [1.0] * len(reward_names(settings))


def reward_functions(settings: TrainSettings, judge: Judge) -> list[RankRewardFunc]:
    """The functions of `reward_names`, in that order."""
    s, k = settings, settings.rec_num
    functions = [
        make_relevance_func(judge, s.reward_func, k),
        make_safety_func(judge, s.lambda_safe, s.penalty_safe, s.safety_discount, k),
    ]
    if s.lambda_count:
        functions.append(make_count_func(judge, s.lambda_count, s.target_count, k))
    if s.lambda_end:
        functions.append(make_end_func(judge, s.lambda_end, k))
    if s.lambda_repeat:
        functions.append(make_repeat_func(judge, s.lambda_repeat, k))
    return functions
