"""Which tokens wrote which rank.

Ranks come from the parsed text, never from counting newlines: a token belongs to rank k if its bytes lie in the span
that `oracle.parse_recommendations` gives rank k in the very text that the rewards were computed from.
"""

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedTokenizerBase

from oracle import parse_batch
from trainer.offsets import token_offsets

NO_RANK = -1


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
    rows = [row[mask] for row, mask in zip(*_on_cpu(completion_ids, completion_mask), strict=True)]
    texts = tokenizer.batch_decode(rows, skip_special_tokens=True)  # type: ignore[arg-type]
    slots = list_slots(tokenizer, rows, texts, parse_batch(texts), rec_num)
    return pad_slots(slots, completion_ids.shape[1]).to(completion_ids.device)


def list_slots(
    tokenizer: PreTrainedTokenizerBase,
    rows: list[np.ndarray],
    texts: list[str],
    entries: pa.Table,
    rec_num: int,
    end_credit: bool = False,
) -> list[np.ndarray]:
    """Slot of each token, for each completion: 0..K-1 for ranks, else -1.

    With `end_credit` there is one slot more, K, for what is written beyond rank K; and the tokens after the last entry
    (end of text, closing words) belong to the first missing rank: to end a list is a choice made in place of that rank.
    After a full list that is slot K; after an overlong one, none, since its overflow entries already are slot K.

    Args:
        rows: B arrays of token ids without padding.
        texts: their decoded texts.
        entries: all recommendations in order, as from `oracle.parse_batch`: 0-based completion, character span.

    Returns:
        B arrays of int64, as long as the rows.
    """
    if not rows:
        return []
    completion, start, end = (entries[name].to_numpy().astype(np.int64) for name in ("completion", "start", "end"))
    n_entries = np.bincount(completion, minlength=len(rows))
    first_entry = n_entries.cumsum() - n_entries
    # All completions on one axis of bytes, each beginning behind the end of the one before.
    base = np.cumsum([0, *(4 * len(text) + 1 for text in texts)])
    n_tokens = np.array([len(ids) for ids in rows])
    borders = n_tokens.cumsum()
    token_start, token_end = np.zeros((2, borders[-1]), dtype=np.int64)
    for i, (ids, text) in enumerate(zip(rows, texts, strict=True)):
        if n_entries[i]:
            tokens = slice(borders[i] - n_tokens[i], borders[i])
            spans = slice(first_entry[i], first_entry[i] + n_entries[i])
            token_start[tokens], token_end[tokens] = token_offsets(tokenizer, ids, text)
            start[spans], end[spans] = _in_bytes(text, np.stack([start[spans], end[spans]]))
    owner = np.repeat(np.arange(len(rows)), n_tokens)
    entry = np.searchsorted(
        end + base[completion], token_start + base[owner], side="right"
    )  # first that ends behind it
    nearest = np.append(start + base[completion], np.iinfo(np.int64).max)[entry]
    inside = (token_end > token_start) & (nearest < token_end + base[owner])
    slot = np.where(inside, entry - first_entry[owner], NO_RANK)
    slot[slot >= rec_num] = rec_num if end_credit else NO_RANK
    if end_credit:
        last = np.full(len(rows), -1)
        last[owner[inside]] = np.flatnonzero(inside)  # of several, the last one stays
        ending = (np.arange(len(slot)) > last[owner]) & (n_entries[owner] <= rec_num)
        slot[ending] = n_entries[owner[ending]]
    return np.split(slot, borders[:-1])


def pad_slots(slots: list[np.ndarray], width: int) -> torch.Tensor:
    """B arrays of slots -> (B, width) long, right-padded with -1."""
    padded = np.full((len(slots), width), NO_RANK, dtype=np.int64)
    for row, slot in zip(padded, slots, strict=True):
        row[: len(slot)] = slot
    return torch.from_numpy(padded)


def _in_bytes(text: str, characters: np.ndarray) -> np.ndarray:
    """Character offsets -> offsets in the UTF-8 encoding."""
    if text.isascii():
        return characters
    codes = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), np.uint32)
    widths = 1 + (codes > 0x7F).astype(np.int64) + (codes > 0x7FF) + (codes > 0xFFFF)
    return np.concatenate([[0], widths.cumsum()])[characters]


def _on_cpu(completion_ids: torch.Tensor, completion_mask: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    if completion_ids.shape != completion_mask.shape or completion_ids.dim() != 2:
        raise ValueError(
            f"completion_ids of shape {tuple(completion_ids.shape)} and completion_mask of shape "
            f"{tuple(completion_mask.shape)}: expected the same (B, T)"
        )
    return completion_ids.cpu().numpy(), completion_mask.bool().cpu().numpy()
