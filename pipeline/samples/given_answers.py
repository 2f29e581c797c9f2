"""Answers that some model gave already, one a line: {"id": …, "text": …}."""

import sys
from collections import Counter
from pathlib import Path

from datasets import Dataset

from oracle import UserError
from pipeline.samples.dataset import plain_text, read_json_lines


def read_answers(path: str, dataset: Dataset, data: str) -> dict[str, str]:
    """Answers by the id of their prompt; says how many prompts have none, and how many answers have no prompt.

    Args:
        data: the path of `dataset`, for messages.

    Raises:
        UserError: lines that are no answers, two answers to one prompt, none to any, or two prompts with one id.
    """
    try:
        lines = read_json_lines(Path(path))
    except (OSError, ValueError) as error:
        raise UserError(f'{path}: expected lines of {{"id": …, "text": …}} ({error})') from None
    if "id" not in dataset.column_names:
        raise UserError(f"{data}: no column id to match the answers in {path} with")
    if twice := next((name for name, n in Counter(dataset["id"]).items() if n > 1), None):
        raise UserError(f"{data}: two rows have the id {twice}; name one --split, or give each row an id of its own")
    answers: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        try:
            name, text = str(line["id"]), plain_text(line["text"])
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f'{path}: answer {number} is {str(line)[:60]!r}; expected {{"id": …, "text": …}} with a text'
            ) from None
        if name in answers:
            raise UserError(f"{path}: answer {number} is a second one to {name}; give one to each prompt")
        answers[name] = text
    ids = set(dataset["id"])
    if not answers.keys() & ids:
        raise UserError(f"{path}: none of its {len(answers)} ids is in {data}")
    if missing := len(ids - answers.keys()):
        print(f"{path}: {missing} of {len(ids)} prompts have no answer, and are left out", file=sys.stderr)
    if unknown := len(answers.keys() - ids):
        print(f"{path}: {unknown} answers are to none of the prompts in {data}, and are left out", file=sys.stderr)
    return answers
