"""Which tokens wrote which rank.

Ranks come from the parsed text, never from counting newlines: a token belongs to rank k if its bytes lie in the span
that `oracle.parse_recommendations` gives rank k in the very text that the rewards were computed from.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedTokenizerBase

from oracle.answers import entry_spans
from trainer.offsets import LaidOut

NO_RANK = -1
# Of the next entry, bounded: a thousand line breaks do end a list.
_NEXT_MARKER = re.compile(r"\s{0,8}(?:[^\w\s]{1,3}\s?){0,2}\d{0,3}[^\w\s]{0,4}\s{0,2}")


def rank_ids(
    tokenizer: PreTrainedTokenizerBase,
    completion_ids: torch.Tensor,
    completion_mask: torch.Tensor,
    rec_num: int = 20,
) -> torch.Tensor:
    """0-based rank of each token; -1 for tokens of no rank (preamble, separators, ranks > rec_num, EOS, padding).

    Args:
        completion_ids: (B, T) int, right-padded.
        completion_mask: (B, T), 1 for tokens of the completion.
        rec_num: K, the ranks that rewards are given for.

    Returns:
        (B, T) long, on the device of `completion_ids`. A token that straddles two entries belongs to the first.
    """
    ids, mask = _on_cpu(completion_ids, completion_mask)
    batch = LaidOut(tokenizer, ids[mask], mask.sum(axis=1))
    texts = batch.texts()
    slots = _slots(batch, texts, entry_spans(texts), rec_num)
    padded = np.full(ids.shape, NO_RANK, dtype=np.int64)
    padded[np.arange(ids.shape[1]) < mask.sum(axis=1, keepdims=True)] = slots
    return torch.from_numpy(padded).to(completion_ids.device)


def list_slots(
    tokenizer: PreTrainedTokenizerBase,
    rows: list[np.ndarray],
    texts: list[str],
    entries: pa.Table,
    rec_num: int,
    end_credit: bool = False,
    ended: Sequence[bool] | None = None,
) -> list[np.ndarray]:
    """Slot of each token, for each completion: 0..K-1 for ranks, else -1.

    With `end_credit` there is one slot more, K, for what is written beyond rank K; and the tokens after the last entry
    (end of text, closing words) belong to the first missing rank: to end a list is a choice made in place of that rank.
    After a full list that is slot K; after an overlong one, none, since its overflow entries already are slot K. Nor is
    there a choice to end in what only was cut off between two entries.

    Args:
        rows: B arrays of token ids without padding.
        texts: their decoded texts.
        entries: all recommendations in order, as from `oracle.parse_batch`: 0-based completion, character span.
        ended: whether each completion ended by itself, and was not cut off at its greatest length; None: all did.

    Returns:
        B arrays of int64, as long as the rows.
    """
    if not rows:
        return []
    n_tokens = np.array([len(ids) for ids in rows])
    ids = np.concatenate(rows, dtype=np.int64, casting="unsafe")  # an empty row may be of floats
    batch = LaidOut(tokenizer, ids, n_tokens)
    completion, start, end = (entries[name].to_numpy() for name in ("completion", "start", "end"))
    stops = None
    if end_credit:
        last = np.zeros(len(texts), dtype=np.int64)
        last[completion] = end  # of several, the last one stays
        cut_off = zip(texts, last.tolist(), ended or [True] * len(texts), strict=True)
        stops = np.array([whole or not _NEXT_MARKER.fullmatch(text, behind) for text, behind, whole in cut_off])
    return np.split(_slots(batch, texts, (completion, start, end), rec_num, stops), n_tokens.cumsum()[:-1])


def _slots(
    batch: LaidOut, texts: list[str], spans: Iterable[np.ndarray], rec_num: int, stops: np.ndarray | None = None
) -> np.ndarray:
    """(N,) int64, the arrays of `list_slots` end to end.

    Args:
        spans: completion, start and end of each entry.
        stops: (B,) bool, whether what stands behind the last entry ends the list; None: no credit for that.
    """
    completion, *characters = spans
    n_entries = np.bincount(completion, minlength=len(texts))
    encoded = [text.encode(errors="surrogatepass") for text in texts]
    token_start, token_end = batch.offsets(encoded, wanted=n_entries > 0)
    start, end = _in_bytes(encoded, np.cumsum([0, *map(len, texts)])[completion] + characters)
    # The tokens of an entry: from the first that ends behind its start up to those that start behind its end.
    behind = np.searchsorted(token_start, end)
    first = np.maximum(np.searchsorted(token_end, start, side="right"), np.append(0, behind)[:-1])
    rank = np.arange(len(completion)) - (n_entries.cumsum() - n_entries)[completion]
    stretches = np.diff(np.stack([first, behind], axis=1).ravel(), prepend=0, append=len(token_start))
    slot = np.repeat(np.append(np.stack([np.full_like(rank, NO_RANK), rank], axis=1), NO_RANK), stretches)
    slot[token_start == token_end] = NO_RANK
    inside = slot != NO_RANK
    slot[slot >= rec_num] = NO_RANK if stops is None else rec_num
    if stops is not None:
        owner = np.repeat(np.arange(len(texts)), batch.n_tokens)
        last = np.full(len(texts), -1)
        last[owner[inside]] = np.flatnonzero(inside)  # of several, the last one stays
        ending = (np.arange(len(slot)) > last[owner]) & (n_entries[owner] <= rec_num) & stops[owner]
        slot[ending] = n_entries[owner[ending]]
    return slot


def pad_slots(slots: list[np.ndarray], width: int) -> torch.Tensor:
    """B arrays of slots -> (B, width) long, right-padded with -1."""
    padded = np.full((len(slots), width), NO_RANK, dtype=np.int64)
    for row, slot in zip(padded, slots, strict=True):
        row[: len(slot)] = slot
    return torch.from_numpy(padded)


def _in_bytes(encoded: list[bytes], characters: np.ndarray) -> np.ndarray:
    """Character offsets -> byte offsets, in all texts end to end."""
    joined = np.frombuffer(b"".join(encoded), np.uint8)
    begins = joined & 0xC0 != 0x80  # 10xxxxxx goes on with a character
    return np.append(np.flatnonzero(begins), len(joined))[characters]


def _on_cpu(completion_ids: torch.Tensor, completion_mask: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    if completion_ids.shape != completion_mask.shape or completion_ids.dim() != 2:
        raise ValueError(
            f"completion_ids of shape {tuple(completion_ids.shape)} and completion_mask of shape "
            f"{tuple(completion_mask.shape)}: expected the same (B, T)"
        )
    return completion_ids.cpu().numpy(), completion_mask.bool().cpu().numpy()
