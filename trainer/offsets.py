"""Where each token of a completion stands in the decoded text, for any fast tokenizer, without decoding piecewise.

Decoding token by token is slow and wrong: characters are split over tokens, spaces depend on neighbours. Instead each
vocabulary entry is turned into its bytes once, the bytes of a completion are laid end to end, and the result is
aligned with the text that the tokenizer itself decodes.
"""

import json
import re
import weakref
from functools import cache

import numpy as np
from transformers import PreTrainedTokenizerBase

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_tables: "weakref.WeakKeyDictionary[PreTrainedTokenizerBase, TokenBytes]" = weakref.WeakKeyDictionary()


@cache
def _byte_of_char() -> dict[str, int]:
    """GPT-2's byte-level alphabet: printable bytes stand for themselves, the rest follow from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


class TokenBytes:
    """The bytes that each token id adds to a decoded text; special tokens add none."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        decoder = json.dumps(json.loads(tokenizer.backend_tokenizer.to_str()).get("decoder"))
        added = {i: token.content.encode() for i, token in tokenizer.added_tokens_decoder.items()}
        size = max([len(tokenizer), *(i + 1 for i in added)])
        tokens = tokenizer.convert_ids_to_tokens(list(range(size)))
        pieces = [_piece(token, decoder) for token in tokens]
        for i, content in added.items():
            pieces[i] = content
        for i in tokenizer.all_special_ids:
            pieces[i] = b""
        self.lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
        self.pieces = np.array(pieces, dtype=object)

    @staticmethod
    def of(tokenizer: PreTrainedTokenizerBase) -> "TokenBytes":
        table = _tables.get(tokenizer)
        if table is None or len(table.lengths) < len(tokenizer):
            table = _tables[tokenizer] = TokenBytes(tokenizer)
        return table


def _piece(token: str | None, decoder: str) -> bytes:
    if token is None:
        return b""
    if '"ByteLevel"' in decoder:
        alphabet = _byte_of_char()
        if all(char in alphabet for char in token):
            return bytes(alphabet[char] for char in token)
        return token.encode()
    if '"WordPiece"' in decoder:
        return token[2:].encode() if token.startswith("##") else f" {token}".encode()
    if byte := _BYTE_TOKEN.fullmatch(token):
        return bytes([int(byte[1], 16)])
    return token.replace("▁", " ").encode()


def token_offsets(tokenizer: PreTrainedTokenizerBase, ids: np.ndarray, text: str) -> tuple[np.ndarray, np.ndarray]:
    """Byte offsets of each token in `text.encode()`, the text that the tokenizer decodes `ids` to.

    Args:
        ids: (T,) int, one completion without padding.
        text: `tokenizer.decode(ids, skip_special_tokens=True)`.

    Returns:
        starts, ends: (T,) int64; a token that adds nothing (special, dropped space) has start == end, at its place.
    """
    table = TokenBytes.of(tokenizer)
    lengths = table.lengths[ids]
    ends = lengths.cumsum()
    starts = ends - lengths
    laid, target = b"".join(table.pieces[ids]), text.encode(errors="surrogatepass")
    if laid == target:
        return starts, ends
    place = _alignment(laid, target)
    if place is None:
        return _by_prefixes(tokenizer, ids, text)
    return place[starts], place[ends]


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


def _by_prefixes(tokenizer: PreTrainedTokenizerBase, ids: np.ndarray, text: str) -> tuple[np.ndarray, np.ndarray]:
    """The slow way, for decoders that rewrite text: a token ends where the text of its prefix ends."""
    total = len(text.encode(errors="surrogatepass"))
    prefixes = tokenizer.batch_decode([ids[: i + 1].tolist() for i in range(len(ids))], skip_special_tokens=True)
    ends = [min(len(p.rstrip("�").encode(errors="surrogatepass")), total) for p in prefixes]
    if ends:
        ends[-1] = total
    ends_array = np.maximum.accumulate(np.array(ends, dtype=np.int64))
    return np.concatenate([[0], ends_array[:-1]]).astype(np.int64), ends_array
