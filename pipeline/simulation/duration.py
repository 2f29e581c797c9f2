"""How long the demo will take on this machine, from the time that two steps of it take."""

import time
from collections.abc import Callable

import torch
from transformers import PreTrainedModel

from pipeline.training.models import load_model

ANSWERS, PROMPT, ANSWER = 64, 55, 115  # answers at once, and tokens of a prompt and of an answer
STEPS = 2
BESIDES = 1.35  # the optimiser, TRL's own work, verdicts and log: the demo took 13.5 minutes where its parts made 10


def expected_seconds(model_name: str, sft: dict, train: dict, answers: int) -> float:
    """Seconds of the stages that are still to come.

    Args:
        model_name: the untrained model, which is as fast as the trained one.
        sft, train: settings of a stage that is still to come; empty: there is none.
        answers: to be sampled for evaluation.
    """
    model = load_model(model_name)
    tokens = torch.randint(4, model.config.vocab_size, (ANSWERS, PROMPT + ANSWER))
    generate = _seconds(lambda: _answer(model, tokens[:, :PROMPT]))
    learn = _seconds(lambda: model(input_ids=tokens, labels=tokens).loss.backward())
    seconds = answers / ANSWERS * generate * 0.5  # larger batches
    if sft:
        seconds += sft["max_steps"] * learn * sft["per_device_train_batch_size"] / ANSWERS
    if train:
        passes = train.get("mu", 1)
        # A batch of answers is scored twice without gradient (old policy, reference): a third of a step's time each.
        of_batch = generate + learn * (passes + 2 / 3)
        seconds += train["max_steps"] / passes * of_batch * train["per_device_train_batch_size"] / ANSWERS
    return BESIDES * seconds


def _seconds(action: Callable[[], None]) -> float:
    """Of one of two, after one to warm up."""
    action()
    started = time.monotonic()
    for _ in range(STEPS):
        action()
    return (time.monotonic() - started) / STEPS


@torch.no_grad()
def _answer(model: PreTrainedModel, prompts: torch.Tensor) -> None:
    model.generate(  # type: ignore[operator]
        prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=True,
        top_k=0,
        min_new_tokens=ANSWER,
        max_new_tokens=ANSWER,
    )
