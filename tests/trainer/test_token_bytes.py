"""Texts made of the vocabulary's bytes are to the letter what the tokenizer decodes, or it is left to decode them."""

import copy

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.trainer.tokenizers import FAMILIES, TEXTS, byte_level
from trainer.offsets import LaidOut
from trainer.token_bytes import TokenBytes, _piece


class Stripping(PreTrainedTokenizerFast):
    def decode(self, *args, **kwargs):
        texts = super().decode(*args, **kwargs)
        return texts.strip() if isinstance(texts, str) else [text.strip() for text in texts]


def byte_level_with(*tokens: AddedToken, **attributes) -> PreTrainedTokenizerFast:
    tokenizer = copy.deepcopy(byte_level())
    tokenizer.add_tokens(list(tokens))
    vars(tokenizer).update(attributes)
    return tokenizer


def byte_level_with_holes() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE({"Ġ": 3, ".": 5, "a": 9, "b": 700, "Ã": 20, "©": 31}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


EXACT = {
    "byte-level": byte_level(),
    "added tokens": byte_level_with(AddedToken("<tool>"), AddedToken("two words"), AddedToken("映画")),
    "added special tokens": byte_level_with(AddedToken("<reserved>", special=True), AddedToken("映", special=True)),
    "tidying up, which does not apply to BPE": byte_level_with(clean_up_tokenization_spaces=True),
    "holes in the vocabulary": byte_level_with_holes(),
}
LEFT_TO_THE_TOKENIZER = {
    "SentencePiece": FAMILIES["sentencepiece"](),
    "WordPiece": FAMILIES["wordpiece"](),
    "an added token that reads as bytes of the alphabet": byte_level_with(AddedToken("é")),
    "tidying up": byte_level_with(
        clean_up_tokenization_spaces=True,
        clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output=True,
    ),
    "a decode method of its own": Stripping(tokenizer_object=byte_level().backend_tokenizer, eos_token="<eos>"),
    "further decoding": byte_level_with(),
}
LEFT_TO_THE_TOKENIZER["further decoding"].backend_tokenizer.decoder = decoders.Sequence(
    [decoders.ByteLevel(), decoders.Replace(" ", "_")]
)
TOKENIZERS = EXACT | LEFT_TO_THE_TOKENIZER


def texts(tokenizer, rows: list[list[int]]) -> list[str]:
    ids = np.array([i for row in rows for i in row], dtype=np.int64)
    return LaidOut(tokenizer, ids, np.array([len(row) for row in rows], dtype=np.int64)).texts()


@pytest.mark.parametrize("name", TOKENIZERS)
def test_the_way_is_chosen_by_what_the_tokenizer_does(name):
    assert TokenBytes.of(TOKENIZERS[name]).exact == (name in EXACT)


written = st.one_of(
    st.text(max_size=40), st.lists(st.sampled_from([*TEXTS, " . ", "<tool>", "é", "<eos>"])).map("".join)
)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(
    rows=st.lists(st.lists(st.integers(0, 750), max_size=30), max_size=4),
    text=written,
    cut=st.integers(0, 40),
)
@example(rows=[[], [0], []], text=" 映画 . <tool>é🎬", cut=1)
@settings(max_examples=60, deadline=None)
def test_texts_are_what_the_tokenizer_decodes(name, rows, text, cut):
    """Random ids break characters, and lie beyond the vocabulary; encoded texts are cut inside a character."""
    tokenizer = TOKENIZERS[name]
    encoded = tokenizer(text, add_special_tokens=False)["input_ids"]
    rows = [*rows, encoded, encoded[cut:], encoded[:cut]]
    assert texts(tokenizer, rows) == tokenizer.batch_decode(rows, skip_special_tokens=True)


def test_every_token_of_the_vocabulary_decodes_alone():
    for tokenizer in EXACT.values():
        rows = [[i] for i in range(len(tokenizer))]
        assert texts(tokenizer, rows) == tokenizer.batch_decode(rows, skip_special_tokens=True)


def test_a_batch_without_completions_has_no_texts():
    for tokenizer in TOKENIZERS.values():
        assert texts(tokenizer, []) == []


def test_tokens_added_or_made_special_later_are_seen():
    tokenizer = byte_level_with(AddedToken("<tool>"))
    row = tokenizer("1. Alien <tool>")["input_ids"]
    assert texts(tokenizer, [row]) == ["1. Alien <tool>"]
    tokenizer.add_special_tokens({"bos_token": "<tool>"})
    assert texts(tokenizer, [row]) == tokenizer.batch_decode([row], skip_special_tokens=True) == ["1. Alien "]
    tokenizer.add_tokens(["<film>"])
    assert texts(tokenizer, [[len(tokenizer) - 1]]) == ["<film>"]


def test_negative_ids_are_refused_as_the_tokenizer_refuses_them():
    with pytest.raises(OverflowError):
        texts(byte_level(), [[-100]])


@pytest.mark.parametrize(
    ("token", "decoder", "expected"),
    [
        ("<0xE5>", '{"type": "Sequence"}', b"\xe5"), ("▁Saw", '{"type": "Sequence"}', b" Saw"),
        ("ĠSaw", '{"type": "ByteLevel"}', b" Saw"), ("##w", '{"type": "WordPiece"}', b"w"), ("Sa", '{"type": "WordPiece"}', b" Sa"),
    ],
)  # fmt: skip
def test_the_bytes_of_a_piece_by_the_decoder_that_joins_them(token, decoder, expected):
    assert _piece(token, decoder) == expected
