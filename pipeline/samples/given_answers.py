"""Answers that models gave already, from files of any of the usual shapes, matched with the prompts of a dataset."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
from datasets import Dataset

from oracle import UserError
from oracle.base.printable import in_short, one_line
from oracle.base.unpacked import LARGEST
from pipeline.evaluation.answer_files import read_rows
from pipeline.evaluation.answer_rows import EXPECTED, ID_KEYS, ROW_NUMBER_KEYS, Answer, answers_of
from trainer.rollout_log import prompt_id, prompt_text

_USER = "user: "  # as `prompt_text` writes it
_DIGITS = 18  # of a row's number; Python reads no number of over 4,300


@dataclass
class GivenAnswers:
    """The answers of one model, by the row of their prompt in the dataset, several to a prompt in order.

    Attributes:
        name: the model's name where the file has one, else the file's.
        texts, ended: of each answer; `rows` has the row of its prompt.
    """

    name: str
    path: str
    rows: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    ended: list[bool] = field(default_factory=list)


def read_answers(
    path: str, dataset: Dataset, data: str, samples: int = 1, largest: int = LARGEST
) -> list[GivenAnswers]:
    """The answers in a file, by model; says how many prompts have none, how many answers no prompt, and what failed.

    An answer belongs to the prompt of the same id, whichever of the id keys fits best (an id may begin with the name of
    the model, as in "gpt-4-17"); else to the row of its number, where the key is one of a row; else to the prompt of
    the same text.

    Args:
        data: the path of `dataset`, for messages.
        samples: answers that one prompt may have where the file doesn't number them.
        largest: bytes that the file may unpack to.

    Raises:
        UserError: rows that are no answers, more answers to one prompt than `samples`, none to any, or two prompts with one
            id.
    """
    answers = _parsed(path, largest)
    if failed := [answer for answer in answers if answer.text is None]:
        reasons = ", ".join(f"{n} x {reason[:60]}" for reason, n in Counter(a.failure for a in failed).most_common(3))
        _tell(f"{path}: {len(failed)} of {len(answers)} requests failed, and are left out ({reasons})")
    if len(failed) == len(answers):
        raise UserError(f"{path}: none of its requests has an answer; send them again")
    by_model: dict[str | None, list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.text is not None:  # a request that failed doesn't say of which model it was
            by_model[answer.model].append(answer)
    prompts = _Prompts(dataset, data)
    left_out: list[str] = []
    found = [_matched(path, name, own, prompts, samples, left_out) for name, own in by_model.items()]
    if not any(given.rows for given in found):
        raise UserError(
            f"{path}: none of its {len(answers)} ids is in {data}"
            + (", nor is any of its prompts" if any(a.prompt for a in answers) else "")
        )
    for line in left_out:
        _tell(line)
    return [given for given in found if given.rows]


def read_all(
    paths: Iterable[str], dataset: Dataset, data: str, samples: int = 1, largest: int = LARGEST
) -> list[GivenAnswers]:
    """The answers of several files; a model that stands in several of them is told apart by the file's name, or its path."""
    found = [given for path in paths for given in read_answers(path, dataset, data, samples, largest)]
    names = Counter(given.name for given in found)
    files = Counter((given.name, Path(given.path).name) for given in found)
    for given in found:
        if names[given.name] > 1:
            file = Path(given.path).name
            given.name = f"{given.name} ({given.path if files[given.name, file] > 1 else file})"
    return found


def _parsed(path: str, largest: int) -> list[Answer]:
    answers: list[Answer] = []
    for number, row in _of_one_filter(read_rows(path, largest)):
        try:
            answers += answers_of(row)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            own = isinstance(error, ValueError) and "expected" in str(error)
            what = error if own else f"{str(row)[:60]!r}; expected {EXPECTED}"
            raise UserError(f"{path}: answer {number} is {what}") from None
    if not answers:
        raise UserError(f"{path}: no rows; expected answers")
    return _numbered(answers)


def _of_one_filter(rows: list) -> Iterator[tuple[int, dict]]:
    """Rows by number; of lm-eval's, which writes each document once for each of a task's filters, those of the first."""
    first = None
    for number, row in enumerate(rows, 1):
        if isinstance(row, dict) and "resps" in row and "filter" in row:
            first = row["filter"] if first is None else first
            if row["filter"] != first:
                continue
        yield number, row


def _numbered(answers: list[Answer]) -> list[Answer]:
    """verifiers writes the rollouts of an example as rows of the same example_id: its answers, in order."""
    seen: Counter = Counter()
    numbered = []
    for answer in answers:
        if answer.sample is None and (example := answer.ids.get("example_id")) is not None:
            number = seen[answer.model, example]
            seen[answer.model, example] += 1
            answer = replace(answer, sample=number)
        numbered.append(answer)
    return numbered


def own_prompts(paths: Sequence[str], constraints: list[str], largest: int = LARGEST) -> Dataset:
    """The prompts that these files answer, as a dataset by itself: each under the same constraints, nothing relevant.

    A prompt is what the answers' rows have of it: its id (without the model's name in front), and its text if it is
    there. A single message of a user is its text, so that files may have either.
    """
    prompts: dict[str, str] = {}
    for path in paths:
        for number, answer in enumerate(_parsed(path, largest), 1):
            text = _text_of(answer.prompt)
            key = next((_without_model(answer.ids[k], answer.model) for k in ID_KEYS if k in answer.ids), text)
            if key is None:
                raise UserError(f"{path}: answer {number} names no prompt; expected {', '.join(ID_KEYS[:4])} or prompt")
            known = prompts.get(key, f"prompt {key}")
            if text and known != f"prompt {key}" and _asked(known) != _asked(text):
                raise UserError(
                    f"{path}: answer {number} has the id {in_short(str(key))} of another prompt ({in_short(text)}, not "
                    f"{in_short(known)}): name the prompts in --data, or give each an id of its own"
                )
            if known == f"prompt {key}":
                prompts[key] = text or f"prompt {key}"
    film = pa.list_(pa.struct([("title", pa.string()), ("year", pa.int16())]))
    n = len(prompts)
    return Dataset(
        pa.table(
            {
                "id": list(prompts),
                "prompt": pa.array(
                    [[{"role": "user", "content": text}] for text in prompts.values()],
                    pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])),
                ),
                "groundtruth_with_release_year": pa.array([[]] * n, film),
                "seen_titles": pa.array([[]] * n, film),
                "constraints": pa.array([constraints] * n, pa.list_(pa.string())),
            }
        )
    )


class _Prompts:
    """Where prompts are found: by id, by row, by text."""

    def __init__(self, dataset: Dataset, data: str):
        self.data, self.size = data, len(dataset)
        self.ids: dict[str, int] = {}
        if "id" in dataset.column_names:
            names = dataset["id"][:]
            if twice := next((name for name, n in Counter(names).items() if n > 1), None):
                raise UserError(
                    f"{data}: two rows have the id {twice}; name one --split, or give each row an id of its own"
                )
            self.ids = {name: row for row, name in enumerate(names)}
        texts = [prompt_text(prompt) for prompt in dataset["prompt"][:]]
        self.texts = _once((_squeezed(text), row) for row, text in enumerate(texts))
        self.texts.update(
            _once((_squeezed(p[-1]["content"]), row) for row, p in enumerate(dataset["prompt"][:]) if len(p) == 1)
        )
        self.hashes = _once((prompt_id(text), row) for row, text in enumerate(texts))

    def by_id(self, key: str, name: str) -> int | None:
        return self.ids.get(name, self.hashes.get(name) if key == "prompt_id" else None)

    def by_number(self, key: str, name: str) -> int | None:
        known_by_number = key in ROW_NUMBER_KEYS or not self.ids
        is_row = known_by_number and name.isdecimal() and len(name) <= _DIGITS
        return int(name) if is_row and int(name) < self.size else None

    def by_text(self, prompt: object) -> int | None:
        text = _text_of(prompt)
        return None if text is None else self.texts.get(_squeezed(text))


def _matched(
    path: str, model: str | None, answers: list[Answer], prompts: _Prompts, samples: int, left_out: list[str]
) -> GivenAnswers:
    """The answers of one model; what is left out is told in lines added to `left_out`."""
    rows = _rows_of(answers, model, prompts)
    unknown = sum(row is None for row in rows)
    ordered = sorted(
        ((row, answer.sample or 0, place) for place, (row, answer) in enumerate(zip(rows, answers, strict=True))
         if row is not None)
    )  # fmt: skip
    _check_counts(path, [(place, row, answers[place]) for row, _, place in ordered], samples)
    given = GivenAnswers(model or path, path)
    for row, _, place in ordered:
        given.rows.append(row)
        given.texts.append(answers[place].text or "")
        given.ended.append(answers[place].ended)
    whose = f"{path} ({model})" if model else path
    if missing := prompts.size - len(set(given.rows)):
        left_out.append(f"{whose}: {missing} of {prompts.size} prompts have no answer, and are left out")
    if unknown:
        left_out.append(f"{whose}: {unknown} answers are to none of the prompts in {prompts.data}, and are left out")
    return given


def _check_counts(path: str, placed: list[tuple[int, int, Answer]], samples: int) -> None:
    """Raises `UserError` for more answers to one prompt than were meant."""
    counts: Counter = Counter()
    for place, row, answer in sorted(placed, key=lambda one: one[0]):
        counts[row, answer.sample] += 1
        if counts[row, answer.sample] > (samples if answer.sample is None else 1):
            name = next(iter(answer.ids.values()), "a prompt")
            all_of_it = sum(other == row for _, other, _ in placed)
            several = f" (or --samples {all_of_it}, if these are several answers of one model)"
            several = several if answer.sample is None else ""
            raise UserError(f"{path}: answer {place + 1} is a second one to {name}; give one to each prompt{several}")


def _rows_of(answers: list[Answer], model: str | None, prompts: _Prompts) -> list[int | None]:
    """The prompt's row of each answer, by the way of naming it that fits most of them; null where none fits.

    A number fits any row that there is, so numbers are looked at only where no answer has an id that the dataset has.
    """

    def own(name: str) -> str:
        return _without_model(name, model)

    ids = [[_look(prompts.by_id, a, key) for a in answers] for key in ID_KEYS]
    ids += [[_look(prompts.by_id, a, key, own) for a in answers] for key in ID_KEYS if model]
    numbers = [[_look(prompts.by_number, a, key) for a in answers] for key in ID_KEYS]
    numbers += [
        [_look(prompts.by_number, a, key, own) for a in answers] for key in ID_KEYS if model and not prompts.ids
    ]
    best = max(ids, key=_fitting) if any(map(_fitting, ids)) else max(numbers, key=_fitting)
    return [prompts.by_text(a.prompt) if row is None else row for row, a in zip(best, answers, strict=True)]


def _fitting(way: list[int | None]) -> int:
    return sum(row is not None for row in way)


def _look(by, answer: Answer, key: str, shortened=lambda name: name) -> int | None:
    return by(key, shortened(answer.ids[key])) if key in answer.ids else None


def _text_of(prompt: object) -> str | None:
    if isinstance(prompt, str):
        return prompt
    messages = prompt if isinstance(prompt, list) else []
    if messages and isinstance(messages[-1], dict) and messages[-1].get("role") == "assistant":
        messages = messages[:-1]  # the conversation with the answer in it
    try:
        text = prompt_text(messages)
    except (KeyError, TypeError):
        return None
    return (text.removeprefix(_USER) if len(messages) == 1 else text) or None  # one message, or its text: one prompt


def _asked(text: str) -> list[str]:
    """A prompt's words; its first message is a user's, whether a file says so or not."""
    return text.removeprefix(_USER).split()


def _without_model(name: str, model: str | None) -> str:
    """ "gpt-4-17" of the model gpt-4 -> "17"."""
    short = name.removeprefix(model or "")
    return (short.lstrip("-_:/ ") or name) if short != name else name


def _once(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Key -> row, without the keys that several rows have."""
    rows = defaultdict(list)
    for key, row in pairs:
        rows[key].append(row)
    return {key: own[0] for key, own in rows.items() if len(own) == 1}


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _tell(line: str) -> None:
    print(one_line(line), file=sys.stderr)
