"""What the length limit cut off in the middle is no recommendation: "3. Saw" may have become "3. Sawdust and Tinsel".

The open entry of an answer that did not end has no verdict, no reward and no part in its group's mean. Its tokens still
belong to its rank, and have no advantage there. It is open if nothing stands behind it and it names no year: with a year
the film is named in full, and only words about it are missing.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from oracle.annotate import AnnotatedBatch


def open_entries(entries: pa.Table, texts: Sequence[str], ended: Sequence[bool] | None) -> np.ndarray:
    """(n,) bool, whether each entry was cut off.

    Args:
        entries: recommendations in order, as from `oracle.parse_batch`: 0-based completion, character span, year.
        texts: the N answers that they are in.
        ended: whether each answer ended by itself, and was not cut off at its greatest length; None: all did.
    """
    is_open = np.zeros(len(entries), dtype=bool)
    if ended is None or all(ended):
        return is_open
    completion, end = (entries[name].to_numpy() for name in ("completion", "end"))
    is_last = np.append(completion[1:] != completion[:-1], True)[: len(completion)]
    unended = ~np.asarray(ended, dtype=bool)
    for i in np.flatnonzero(is_last & unended[completion] & entries["year"].is_null().to_numpy()):
        is_open[i] = not texts[completion[i]][end[i] :].strip(" \t")
    return is_open


def without_open_entries(judged: AnnotatedBatch, ended: Sequence[bool] | None) -> AnnotatedBatch:
    """The judgement without what was cut off; that is the last of its list, so that no other verdict follows from it."""
    is_open = open_entries(judged.entries, judged.texts, ended)
    return replace(judged, entries=judged.entries.filter(pa.array(~is_open))) if is_open.any() else judged


def cells_of(entries: pa.Table, n_slots: int) -> tuple[np.ndarray, np.ndarray]:
    """(completion, slot), 0-based, of the entries that have a slot: an index into (N, S) rewards."""
    completion, slot = entries["completion"].to_numpy(), entries["rank"].to_numpy() - 1
    return completion[slot < n_slots], slot[slot < n_slots]
