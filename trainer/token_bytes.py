"""The bytes of every vocabulary entry, for any fast tokenizer, looked up for a whole batch of tokens at once.

Decoding token by token is slow and wrong: characters are split over tokens, spaces depend on neighbours. Instead each
vocabulary entry is turned into its bytes once, and the bytes of all tokens are laid end to end.
"""

import json
import re
import weakref
from functools import cache

import numpy as np
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_tables: "weakref.WeakKeyDictionary[PreTrainedTokenizerBase, TokenBytes]" = weakref.WeakKeyDictionary()


class TokenBytes:
    """The bytes that each token id adds to a decoded text; special tokens and ids beyond the vocabulary add none.

    `exact`: whether a decoded text is nothing but these bytes, with U+FFFD for what is no UTF-8.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.state = _state(tokenizer)
        decoder = json.loads(tokenizer.backend_tokenizer.to_str()).get("decoder")
        added = tokenizer.added_tokens_decoder
        size = 1 + max(tokenizer.get_vocab().values(), default=-1)
        pieces = [_piece(token, json.dumps(decoder)) for token in tokenizer.convert_ids_to_tokens(list(range(size)))]
        for i, token in added.items():
            pieces[i] = b"" if token.special else token.content.encode()
        for i in tokenizer.all_special_ids:
            pieces[i] = b""
        self._lengths = np.array([*map(len, pieces), 0], dtype=np.int64)  # the last is that of all ids beyond
        self._starts = self._lengths.cumsum() - self._lengths
        self._bytes = np.frombuffer(b"".join(pieces), np.uint8)
        self.exact = (decoder or {}).get("type") == "ByteLevel" and self._decodes_likewise(tokenizer, [*added])

    @staticmethod
    def of(tokenizer: PreTrainedTokenizerBase) -> "TokenBytes":
        table = _tables.get(tokenizer)
        if table is None or table.state != _state(tokenizer):
            table = _tables[tokenizer] = TokenBytes(tokenizer)
        return table

    def lay(self, ids: np.ndarray) -> tuple[bytes, np.ndarray, np.ndarray]:
        """The bytes of `ids` end to end, and where those of each id start and end: (N,) int64."""
        ids = np.minimum(ids, len(self._lengths) - 1)  # models with padded embeddings may sample ids beyond
        lengths = self._lengths[ids]
        ends = lengths.cumsum()
        starts = ends - lengths
        source = np.repeat(self._starts[ids] - starts, lengths)  # of each byte, how far ahead it stands in the table
        source += np.arange(len(source))
        return self._bytes[source].tobytes(), starts, ends

    def _decodes_likewise(self, tokenizer: PreTrainedTokenizerBase, added: list[int]) -> bool:
        """Whether the tokenizer leaves decoding to its byte-level decoder, and that treats added tokens as we do.

        The decoder joins the bytes of all tokens, but added ones may stand for other bytes than their content's, and
        a tokenizer may rewrite the text afterwards: with a method of its own, or by tidying up spaces (" ." -> ".").
        """
        inherited = all(
            getattr(getattr(tokenizer, name), "__func__", None) is getattr(PreTrainedTokenizerFast, name)
            for name in ("batch_decode", "decode", "_decode")
        )
        samples = [tokenizer.backend_tokenizer.encode("a . b", add_special_tokens=False).ids, *([i] for i in added)]
        laid = [self.lay(np.array(ids, dtype=np.int64))[0] for ids in samples]
        return (
            inherited
            and b" ." in laid[0]
            and tokenizer.batch_decode(samples, skip_special_tokens=True) == [b.decode(errors="replace") for b in laid]
        )


def _state(tokenizer: PreTrainedTokenizerBase) -> tuple:
    """What may change after a tokenizer was loaded."""
    added = [(i, token.content, token.special) for i, token in tokenizer.added_tokens_decoder.items()]
    return len(tokenizer), tokenizer.all_special_ids, added, tokenizer.clean_up_tokenization_spaces


@cache
def _byte_of_char() -> dict[str, int]:
    """GPT-2's byte-level alphabet: printable bytes stand for themselves, the rest follow from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}


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
