"""Answers of models on this machine, with transformers."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from pipeline.evaluation.journal import Journal
from pipeline.training.models import (
    base_of,
    check_fit,
    empty_model,
    is_adapter,
    load_policy,
    load_tokenizer,
    written_prompts,
)


def check_policy(name: str, prompts: list, max_new_tokens: int) -> None:
    """Raises `UserError` for a model that can't answer, without its weights."""
    tokenizer = load_tokenizer(name)
    tokens = tokenizer(written_prompts(tokenizer, prompts), add_special_tokens=False)["input_ids"]
    base = empty_model(base_of(name) if is_adapter(name) else name)
    check_fit(base, tokenizer, name, max(map(len, tokens)) + max_new_tokens)


def answer(
    journal: Journal, name: str, prompts: list, *, samples: int, temperature: float, max_new_tokens: int, batch_size: int,
    seed: int,
) -> None:  # fmt: skip
    """Have the model answer what is missing in the journal; it is loaded only if anything is.

    A batch is kept whole, and its random numbers follow from the seed and its place, so that a run that was interrupted
    ends with the answers of one that wasn't.
    """
    asked = [(row, sample) for row in range(len(prompts)) for sample in range(samples)]
    missing = set(journal.missing(len(prompts), samples))
    batches = [asked[start : start + batch_size] for start in range(0, len(asked), batch_size)]
    left = [(n, batch) for n, batch in enumerate(batches) if missing.intersection(batch)]
    if not left:
        return
    model, tokenizer = load_policy(name)
    for number, batch in tqdm(
        left, desc="answering", unit="batch", initial=len(batches) - len(left), total=len(batches)
    ):
        own_seed = random.Random(f"{seed}:{number}").getrandbits(32)
        texts, ids, ended = generate(
            model, tokenizer, [prompts[row] for row, _ in batch], temperature, max_new_tokens, len(batch), own_seed
        )
        journal.add(
            [
                {"row": row, "sample": sample, "text": text, "ended": end, "tokens": own.tolist()}
                for (row, sample), text, own, end in zip(batch, texts, ids, ended, strict=True)
                if (row, sample) in missing
            ]
        )


def generate(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list,
    temperature: float,
    max_new_tokens: int,
    batch_size: int,
    seed: int,
) -> tuple[list[str], list[np.ndarray], list[bool]]:
    """One sampled answer a prompt: texts, token ids without padding, and whether each ended by itself."""
    set_seed(seed)
    model.eval()
    options = generation_options(model, tokenizer, temperature)
    ids: list[np.ndarray] = []
    ended: list[bool] = []
    for batch in _batches(prompts, batch_size):
        texts = written_prompts(tokenizer, batch)
        tokens = tokenizer(texts, add_special_tokens=False, return_tensors="pt", padding=True).to(model.device)
        with torch.inference_mode():
            output = model.generate(  # type: ignore[operator]
                **tokens, max_new_tokens=max_new_tokens, pad_token_id=tokenizer.pad_token_id, **options
            )
        for row in output[:, tokens["input_ids"].shape[1] :].cpu().numpy():
            stops = np.flatnonzero(np.isin(row, options["eos_token_id"]))
            ended.append(bool(len(stops)))
            ids.append(row[: stops[0] + 1] if len(stops) else row)
    return tokenizer.batch_decode(ids, skip_special_tokens=True), ids, ended  # type: ignore[arg-type]


def _batches(prompts: list, size: int) -> Iterator[list]:
    for start in range(0, len(prompts), size):
        yield prompts[start : start + size]


def generation_options(
    model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, temperature: float
) -> dict[str, Any]:
    """TRL's defaults in training, in place of those that the model's own `generation_config` names."""
    ends = model.generation_config.eos_token_id or []  # type: ignore[union-attr]
    ends = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])}
    sampling = {"temperature": temperature, "top_p": 1.0, "top_k": 0, "min_p": None}
    return {
        "eos_token_id": sorted(ends),
        "repetition_penalty": 1.0,
        "do_sample": temperature > 0,
        **(sampling if temperature > 0 else {}),
    }
