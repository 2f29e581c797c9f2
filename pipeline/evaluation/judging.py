"""Answers -> verdicts in the log, on the same path as training: parse, resolve, judge, log."""

import json
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from datasets import Dataset

from oracle.annotate import Annotator
from oracle.cut_off import cells_of, open_entries, without_open_entries
from oracle.log import LogWriter, run_info
from oracle.store import log_root
from trainer.rewards import make_relevance_func, make_safety_func
from trainer.rollout_log import step_tables


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


def log_answers(
    store: str, answers: Answers, dataset: Dataset, annotator: Annotator, *, data: str, rec_num: int, settings: dict
) -> str:
    """Judge answers and write them to the log as a run of kind evaluate; returns its run_id."""
    info = run_info()
    run = {
        "kind": "evaluate", "model": answers.name, "dataset": data, "rec_num": rec_num,
        "num_generations": answers.samples, "risk_threshold": annotator.oracle.risk_threshold,
        "unresolved": annotator.oracle.unresolved, "unrated": annotator.oracle.unrated,
        "w_count": 0.0, "w_end": 0.0, "w_repeat": 0.0,
        "settings": json.dumps({**settings, **answers.notes}), "versions": json.dumps(info["versions"]),
        "git": json.dumps(info["git"]),
    }  # fmt: skip
    tables = _judged(answers, dataset, annotator, rec_num)
    with LogWriter(log_root(store), run) as log:
        log.write_step(0, *tables)
        return log.run_id


def _judged(answers: Answers, dataset: Dataset, annotator: Annotator, rec_num: int) -> tuple[pa.Table, pa.Table]:
    dataset, texts, ended = dataset.select(answers.rows), answers.texts, answers.ended
    columns = {c: dataset[c][:] for c in ("groundtruth_with_release_year", "seen_titles", "constraints")}
    judged = annotator.annotate(texts, *columns.values())
    cut_off = judged.entries.filter(pa.array(open_entries(judged.entries, texts, ended)))
    rewards = {
        "relevance": make_relevance_func(annotator, rec_num=rec_num)(completions=texts, ended=ended, **columns),
        "safety": make_safety_func(annotator, rec_num=rec_num)(completions=texts, ended=ended, **columns),
    }
    left_out = np.zeros((len(texts), rec_num), dtype=bool)
    left_out[cells_of(cut_off, rec_num)] = True
    for values in rewards.values():
        values[left_out] = np.nan
    return step_tables(
        without_open_entries(judged, ended), cut_off=cut_off, left_out=left_out, step=0, prompts=dataset["prompt"][:],
        rewards=rewards,
        dataset_ids=dataset["id"][:] if "id" in dataset.column_names else None,
        weights=[1.0, 1.0], advantages=None, slots=_slots(answers, judged.entries, rec_num), ended=ended,
        num_generations=answers.samples,
    )  # fmt: skip


def _slots(answers: Answers, entries: pa.Table, rec_num: int) -> list[np.ndarray]:
    """The rank of each token, where the tokens are known."""
    if answers.tokens is None or answers.tokenizer is None:
        return [np.zeros(0, np.int64)] * len(answers.texts)
    from pipeline.training.models import load_tokenizer
    from trainer.credit import list_slots

    return list_slots(load_tokenizer(answers.tokenizer), answers.tokens, answers.texts, entries, rec_num)
