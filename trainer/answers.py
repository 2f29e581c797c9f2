"""The answers of one step, read once: for rewards, credit, metrics and log."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from transformers import PreTrainedTokenizerBase

from oracle import parse_batch
from oracle.annotate import AnnotatedBatch, Annotator
from oracle.cut_off import cells_of, open_entries
from trainer.advantages import length_control
from trainer.config import RankGRPOConfig
from trainer.credit import list_slots

SAMPLE = ("groundtruth_with_release_year", "seen_titles", "constraints")
"""The dataset's columns that answers are judged by."""


@dataclass
class Answers:
    """This process's share of a step: n answers, with S slots each (K ranks, and with `end_credit` one more).

    Attributes:
        texts: what the tokens decode to, without special ones; rewards and credit both go by it.
        ended: whether each wrote its end of text, and wasn't cut off.
        judged: their recommendations with verdicts, without the titles that were cut off; None where nobody judges.
        n_films: (n,) recommendations of each, whole ones.
        cut_off: the entries that were cut off in the middle of a title, as `oracle.parse_batch` gives them.
        left_out: (n, S) bool, the cells that have no reward of any kind.
        slots: n arrays with the slot of each token, -1 for none.
    """

    texts: list[str]
    ended: list[bool]
    judged: AnnotatedBatch | None
    n_films: np.ndarray
    cut_off: pa.Table
    left_out: np.ndarray
    slots: list[np.ndarray]

    def length_control(self, rec_num: int, size: float) -> torch.Tensor:
        """(n, S) what is added to the advantages; 0 where a title was cut off, which is no end."""
        added = length_control(torch.from_numpy(self.n_films), rec_num, size)
        added[cells_of(self.cut_off, self.left_out.shape[1])] = 0.0
        return added


def read_answers(
    tokenizer: PreTrainedTokenizerBase,
    ids: list[list[int]],
    ended: list[bool],
    samples: Sequence[dict],
    annotator: Annotator | None,
    args: RankGRPOConfig,
) -> Answers:
    """Decode, parse and judge answers.

    Args:
        ids: n rows of token ids, without padding.
        samples: n rows of the dataset.
    """
    # One text for parsing, rewards and credit: what the tokens decode to, whatever a response parser makes of it.
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    judged = annotator.annotate(texts, *([x.get(c) or [] for x in samples] for c in SAMPLE)) if annotator else None
    entries = judged.entries if judged else parse_batch(texts)
    is_open = pa.array(open_entries(entries, texts, ended))
    cut_off, whole = entries.filter(is_open), entries.filter(pc.invert(is_open))
    n_films = np.bincount(whole["completion"].to_numpy(), minlength=len(texts))
    n_slots = args.rec_num + args.end_credit
    left_out = np.zeros((len(texts), n_slots), dtype=bool)
    left_out[cells_of(cut_off, n_slots)] = True
    if args.missing_ranks == "leave_out":
        slot = np.arange(n_slots)
        left_out |= (slot >= n_films[:, None] + args.end_credit) & (slot < args.rec_num)
    rows = [np.asarray(row) for row in ids]
    slots = list_slots(tokenizer, rows, texts, entries, args.rec_num, args.end_credit, ended)
    return Answers(texts, ended, judged and replace(judged, entries=whole), n_films, cut_off, left_out, slots)
