"""Where each token of a batch of completions stands in their decoded texts, without decoding piecewise.

The bytes of a completion's tokens, laid end to end, are what its text was made of. Where the tokenizer made another
text of them (dropped a space, replaced broken UTF-8), the bytes are aligned with that text.
"""

from itertools import pairwise

import numpy as np
from transformers import PreTrainedTokenizerBase

from trainer.token_bytes import TokenBytes


class LaidOut:
    """B completions as the bytes of their tokens.

    Args:
        ids: (N,) int, the tokens of all completions end to end, without padding.
        n_tokens: (B,) int, how many of them each completion has.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, ids: np.ndarray, n_tokens: np.ndarray):
        self.tokenizer, self.ids, self.n_tokens = tokenizer, ids, n_tokens
        self.table = TokenBytes.of(tokenizer)
        laid, self.starts, self.ends = self.table.lay(ids)
        borders = np.append(0, n_tokens.cumsum())
        self.tokens = [slice(a, b) for a, b in pairwise(borders.tolist())]  # of each completion
        self.base = np.append(0, self.ends)[borders]  # (B + 1,) where the bytes of each completion begin
        self.laid = [laid[a:b] for a, b in pairwise(self.base.tolist())]

    def texts(self) -> list[str]:
        """What `tokenizer.batch_decode(…, skip_special_tokens=True)` makes of the completions."""
        if self.table.exact and (self.ids >= 0).all():
            return [laid.decode(errors="replace") for laid in self.laid]
        rows = [self.ids[tokens] for tokens in self.tokens]
        # transformers 5.23 decodes no rows to one text.
        return self.tokenizer.batch_decode(rows, skip_special_tokens=True) if rows else []  # type: ignore[arg-type]

    def offsets(self, texts: list[bytes], wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Byte offsets of each token in all texts end to end.

        Args:
            texts: the decoded text of each completion, in UTF-8.
            wanted: (B,) bool; the tokens of other completions may be placed anywhere in their text.

        Returns:
            starts, ends: (N,) int64, ascending. A token that adds nothing (special, dropped space) has start == end.
        """
        base = np.cumsum([0, *map(len, texts)])
        shift = np.repeat((base - self.base)[:-1], self.n_tokens)
        starts, ends = self.starts + shift, self.ends + shift
        for i, (laid, text) in enumerate(zip(self.laid, texts, strict=True)):
            if laid != text:
                tokens = self.tokens[i]
                starts[tokens], ends[tokens] = base[i] + self._aligned(i, text) if wanted[i] else (base[i], base[i])
        return starts, ends

    def _aligned(self, i: int, text: bytes) -> np.ndarray:
        """(2, T) starts and ends of the tokens of completion `i` in its text."""
        tokens = self.tokens[i]
        place = _alignment(self.laid[i], text)
        if place is None:
            return _by_prefixes(self.tokenizer, self.ids[tokens], text)
        return place[np.stack([self.starts[tokens], self.ends[tokens]]) - self.base[i]]


def _alignment(laid: bytes, target: bytes) -> np.ndarray | None:
    """(len(laid) + 1,) place in `target` of each byte border of `laid`, where only white space or U+FFFD differ."""
    if b"\xef\xbf\xbd" in target:  # broken UTF-8 in `laid` became U+FFFD, three bytes each
        laid, origin = _with_replacements(laid)
        inner = _alignment_of_text(laid, target)
        return None if inner is None else inner[origin]
    return _alignment_of_text(laid, target)


def _with_replacements(laid: bytes) -> tuple[bytes, np.ndarray]:
    """`laid` with broken UTF-8 replaced as a decoder does, and where each border of `laid` went."""
    parts: list[bytes] = []
    origin = np.empty(len(laid) + 1, dtype=np.int64)
    read = written = 0
    while read < len(laid):
        try:
            laid[read:].decode()
            good, bad = len(laid) - read, 0
        except UnicodeDecodeError as error:
            good, bad = error.start, error.end - error.start
        origin[read : read + good] = written + np.arange(good)
        parts.append(laid[read : read + good])
        read, written = read + good, written + good
        if bad:
            origin[read : read + bad] = written
            parts.append("�".encode())
            read, written = read + bad, written + 3
    origin[len(laid)] = written
    return b"".join(parts), origin


def _alignment_of_text(laid: bytes, target: bytes) -> np.ndarray | None:
    """Match the bytes that aren't spaces one to one; a space goes to just behind the byte before it."""
    laid_solid, target_solid = (np.flatnonzero(np.frombuffer(b, np.uint8) != 0x20) for b in (laid, target))
    if laid.replace(b" ", b"") != target.replace(b" ", b""):
        return None
    place = np.full(len(laid) + 1, -1, dtype=np.int64)
    place[laid_solid] = target_solid
    place[-1] = len(target)
    # A border before a space: as far behind the last solid byte as the spaces of `target` reach.
    solid_before = np.searchsorted(laid_solid, np.arange(len(laid) + 1))
    after_last = np.concatenate([[0], target_solid + 1])[solid_before]
    spaces_since = np.arange(len(laid) + 1) - np.concatenate([[0], laid_solid + 1])[solid_before]
    next_solid = np.concatenate([target_solid, [len(target)]])[solid_before]
    loose = np.minimum(after_last + spaces_since, next_solid)
    return np.where(place >= 0, place, loose)


def _by_prefixes(tokenizer: PreTrainedTokenizerBase, ids: np.ndarray, text: bytes) -> np.ndarray:
    """The slow way, for decoders that rewrite text: a token ends where the text of its prefix ends. (2, T)"""
    prefixes = tokenizer.batch_decode([ids[: i + 1].tolist() for i in range(len(ids))], skip_special_tokens=True)
    ends = [min(len(p.rstrip("�").encode(errors="surrogatepass")), len(text)) for p in prefixes]
    if ends:
        ends[-1] = len(text)
    borders = np.maximum.accumulate(np.array([0, *ends], dtype=np.int64))
    return np.stack([borders[:-1], borders[1:]])
