"""Evaluation samples as training does, wherever the model lies, and refuses what makes no sense."""

import pytest
import torch

from oracle import UserError
from pipeline.evaluate import generate, main
from pipeline.models import load_policy

PROMPTS = [[{"role": "user", "content": f"I liked film {n}. What else?"}] for n in range(3)]


def answers(model, tokenizer, temperature: float = 1.0) -> tuple[list[list[int]], list[bool]]:
    _, ids, ended = generate(model, tokenizer, PROMPTS, temperature, max_new_tokens=12, batch_size=3, seed=1)
    return [row.tolist() for row in ids], ended


def test_a_policy_lies_on_the_accelerator_where_there_is_one(small, monkeypatch):
    assert load_policy(f"{small}/model")[0].device.type == "cpu"
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("meta"))
    assert load_policy(f"{small}/model")[0].device.type == "meta"


@pytest.mark.parametrize(
    ("option", "temperature"),
    [({"top_p": 0.01}, 1.0), ({"min_p": 1.0}, 1.0), ({"top_k": 1}, 1.0), ({"repetition_penalty": 9.0}, 0.0)],
)
def test_how_training_samples_wins_over_the_models_own_generation_config(small, option, temperature):
    model, tokenizer = load_policy(f"{small}/model")
    expected = answers(model, tokenizer, temperature)
    model.generation_config.update(**option)
    assert answers(model, tokenizer, temperature) == expected


@pytest.mark.parametrize("of_tokenizer", [False, True])
def test_an_answer_ends_at_whichever_end_of_text_comes_first(small, of_tokenizer):
    model, tokenizer = load_policy(f"{small}/model")
    whole, ended = answers(model, tokenizer)
    assert not any(ended)
    end = whole[0][4]
    if of_tokenizer:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
        model.generation_config.eos_token_id = None
    else:
        model.generation_config.eos_token_id = [tokenizer.eos_token_id, end]
    found, ended = answers(model, tokenizer)
    assert found[0] == whole[0][: whole[0].index(end) + 1]
    assert ended == [end in row for row in found] and ended[0] and not all(ended)


@pytest.mark.parametrize("flags", ["--limit 0", "--limit -1", "--batch_size 0", "--max_completion_length 0"])
def test_less_than_one_of_anything_is_refused(flags):
    with pytest.raises(UserError, match=f"^{flags}: expected at least 1$"):
        main(["--data", "x", "--answers", "a", *flags.split()])
