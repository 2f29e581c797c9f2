"""Answers -> verdicts in the log, on the same path as training: parse, resolve, judge, log."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from datasets import Dataset

from oracle.annotate import Annotator
from oracle.answers import parse_batch
from oracle.base.printable import storable_json
from oracle.cut_off import cells_of, open_entries, without_open_entries
from oracle.log import run_info, whole_run
from oracle.store import log_root
from trainer.own_rewards import as_rank_reward, name_of, own_names, rank_table
from trainer.rewards import make_relevance_func, make_safety_func
from trainer.rollout_log import concat, step_tables

WANTED = ("groundtruth_with_release_year", "seen_titles", "constraints")


@dataclass
class Answers:
    """Answers of one model, those to one prompt side by side.

    Attributes:
        rows: of the prompts in the dataset, one for each answer.
        ended: whether each ended by itself, and wasn't cut off.
        tokens: ids of each answer's tokens, where the model ran here; else null. With `tokenizer`, the model's name.
        notes: what the log keeps beside the settings, such as tokens and time.
    """

    name: str
    rows: list[int]
    texts: list[str]
    ended: list[bool]
    tokens: list[np.ndarray] | None = None
    tokenizer: str | None = None
    notes: dict = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """Answers to each prompt; 1 where prompts have different numbers of them."""
        counts = set(Counter(self.rows).values())
        return counts.pop() if len(counts) == 1 else 1


ANSWERS_AT_ONCE = 1000

Judges = Callable[[pa.Table, int], Iterable[tuple[pa.Table, pa.Table]]]
"""From a table as `answer_table` makes it, and the number of answers to each prompt, to (completions, verdicts) of its parts,
in order: `judge` for each part, wherever it runs."""


def log_answers(
    store: str, answers: Answers, dataset: Dataset, annotator: Annotator, *, data: str, rec_num: int, settings: dict,
    judges: Judges | None = None, own: Sequence[Callable] = (),
) -> str:  # fmt: skip
    """Judge answers and write them to the log as a run of kind evaluate; returns its run_id. `judges` None: here, with the
    rewards of `own` as well (`trainer.own_rewards`), a thousand answers at a time, each with the weight 1."""
    info = run_info()
    run = {
        "kind": "evaluate", "model": answers.name, "dataset": data, "rec_num": rec_num,
        "num_generations": answers.samples, "risk_threshold": annotator.oracle.risk_threshold,
        "unresolved": annotator.oracle.unresolved, "unrated": annotator.oracle.unrated,
        "w_count": 0.0, "w_end": 0.0, "w_repeat": 0.0,
        "own_weights": dict.fromkeys(own_names(list(own)), 1.0),
        "settings": storable_json({**settings, **answers.notes}),
        "versions": json.dumps(info["versions"]), "git": json.dumps(info["git"]),
    }  # fmt: skip
    table = answer_table(answers, dataset, annotator.thought_tags, rec_num)
    parts = judges(table, answers.samples) if judges else _judged_here(table, annotator, rec_num, answers.samples, own)
    tables = concat(list(parts))
    with whole_run(log_root(store), run) as log:
        log.write_step(0, *tables)
    return log.run_id


def answer_table(answers: Answers, dataset: Dataset, thought_tags: Sequence[str], rec_num: int) -> pa.Table:
    """A row an answer: number, text, ended, id and columns of its prompt, and the slot of each token (null: not known)."""
    asked = dataset.select(answers.rows).with_format("arrow")[:]
    columns = {name: asked[name] for name in ("prompt", *WANTED)}
    ids = asked["id"].cast(pa.string()) if "id" in asked.column_names else pa.nulls(len(asked), pa.string())
    slots = _slots(answers, thought_tags, rec_num)
    numbers = np.arange(len(answers.texts), dtype=np.int32)
    return pa.table(
        {"number": numbers, "text": answers.texts, "ended": answers.ended, "id": ids, **columns, "slots": slots}
    )


def parts_of(answers: pa.Table) -> Iterator[pa.Table]:
    """The answers, so many at a time that their judging fits into memory."""
    return (answers.slice(start, ANSWERS_AT_ONCE) for start in range(0, len(answers), ANSWERS_AT_ONCE))


def _judged_here(
    answers: pa.Table, annotator: Annotator, rec_num: int, num_generations: int, own: Sequence[Callable]
) -> Iterator[tuple[pa.Table, pa.Table]]:
    return (judge(part, annotator, rec_num, num_generations, own) for part in parts_of(answers))


def judge(
    answers: pa.Table, annotator: Annotator, rec_num: int, num_generations: int, own: Sequence[Callable] = ()
) -> tuple[pa.Table, pa.Table]:
    """(completions, verdicts) of some answers, as the log has them; `answers` as `answer_table` makes it."""
    texts, ended = answers["text"].to_pylist(), answers["ended"].to_pylist()
    columns = {name: answers[name].to_pylist() for name in WANTED}
    judged = annotator.annotate(texts, *columns.values())
    cut_off = judged.entries.filter(pa.array(open_entries(judged.entries, texts, ended)))
    functions = {
        "relevance": make_relevance_func(annotator, rec_num=rec_num),
        "safety": make_safety_func(annotator, rec_num=rec_num),
        **{name_of(function): as_rank_reward(function, annotator, rec_num) for function in own},
    }
    given = {name: function(completions=texts, ended=ended, **columns) for name, function in functions.items()}
    # An own reward may speak of the end of a list too, behind its ranks.
    rewards = {
        name: rank_table(functions[name], table, len(texts), rec_num + 1)[:, :rec_num] for name, table in given.items()
    }
    left_out = np.zeros((len(texts), rec_num), dtype=bool)
    left_out[cells_of(cut_off, rec_num)] = True
    for values in rewards.values():
        values[left_out] = np.nan
    slots = None
    if not answers["slots"].null_count:
        slots = [np.array(of_answer, np.int64) for of_answer in answers["slots"].to_pylist()]
    return step_tables(
        without_open_entries(judged, ended), cut_off=cut_off, left_out=left_out, step=0,
        prompts=answers["prompt"].to_pylist(), rewards=rewards, dataset_ids=answers["id"].to_pylist(), weights=[1.0] * len(rewards),
        advantages=None, slots=slots, ended=ended,
        num_generations=num_generations, first_completion=answers["number"][0].as_py() if len(answers) else 0,
    )  # fmt: skip


def _slots(answers: Answers, thought_tags: Sequence[str], rec_num: int) -> pa.ListArray:
    """The slot of each token; null of an answer whose tokens are not known."""
    kind = pa.list_(pa.int64())
    if answers.tokens is None or answers.tokenizer is None:
        return pa.nulls(len(answers.texts), kind)
    from pipeline.training.models import load_tokenizer
    from trainer.credit import list_slots

    entries = parse_batch(answers.texts, thought_tags=tuple(thought_tags))
    return pa.array(
        list_slots(load_tokenizer(answers.tokenizer), answers.tokens, answers.texts, entries, rec_num), kind
    )
