"""Which tokens wrote which rank, against a slow re-computation that decodes prefix by prefix."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oracle import parse_batch, parse_recommendations
from tests.trainer.tokenizers import FAMILIES, TEXTS, byte_level
from trainer.credit import list_slots, rank_ids
from trainer.offsets import LaidOut, _by_prefixes


def encoded(tokenizer, texts: list[str], eos: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [tokenizer(t, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id] * eos for t in texts]
    width = max(map(len, rows))
    ids = torch.tensor([r + [tokenizer.pad_token_id] * (width - len(r)) for r in rows])
    mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows])
    return ids, mask


def slow_rank_ids(tokenizer, ids: torch.Tensor, mask: torch.Tensor, rec_num: int = 20) -> torch.Tensor:
    """Token by token: the rank whose span shares a character with what the token added to the decoded text."""
    found = torch.full(ids.shape, -1)
    for b in range(len(ids)):
        row = ids[b][mask[b].bool()].tolist()
        spans = [
            (e.rank, e.start, e.end) for e in parse_recommendations(tokenizer.decode(row, skip_special_tokens=True))
        ]
        before = 0
        for t in range(len(row)):
            after = len(tokenizer.decode(row[: t + 1], skip_special_tokens=True))
            ranks = [rank for rank, start, end in spans if start < after and before < end and after > before]
            if ranks and ranks[0] <= rec_num:
                found[b, t] = ranks[0] - 1
            before = after
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_ranks_agree_with_decoding_prefix_by_prefix(family):
    tokenizer = FAMILIES[family]()
    texts = [
        "1. Alien (1979)\n2. The Thing (1982)\n3. Frozen (2013)",
        "Here are films:\n\n1) Alien\n2) Frozen (2010)\nEnjoy!",
    ]
    ids, mask = encoded(tokenizer, texts)
    found = rank_ids(tokenizer, ids, mask)
    assert found.dtype == torch.long and found.shape == ids.shape
    assert torch.equal(found, slow_rank_ids(tokenizer, ids, mask))
    assert set(found[0].tolist()) >= {0, 1, 2}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokens_of_a_rank_hold_its_title_and_nothing_of_other_ranks(family):
    tokenizer = FAMILIES[family]()
    ids, mask = encoded(
        tokenizer, ["Sure!\n\n1. Alien (1979)\n2. The Thing (1982)\n3. Frozen (2013)\n\nEnjoy your evening!"]
    )
    found = rank_ids(tokenizer, ids, mask)[0]
    for rank, title in enumerate(["Alien", "The Thing", "Frozen"]):
        written = tokenizer.decode(ids[0][found == rank])
        assert title in written
        assert not any(other in written for other in {"Alien", "Thing", "Frozen", "Enjoy", "Sure"} - set(title.split()))


def test_preamble_blank_lines_ending_and_padding_belong_to_no_rank():
    tokenizer = byte_level()
    texts = [
        "Here are 20 films that you might enjoy:\n\n1. Alien (1979)\n\n2. Frozen (2013)\n\nEnjoy!",
        "1. Alien (1979)",
    ]
    ids, mask = encoded(tokenizer, texts)
    found = rank_ids(tokenizer, ids, mask)
    first = tokenizer(texts[0][: texts[0].index("1.")], add_special_tokens=False)["input_ids"]
    assert (found[0, : len(first)] == -1).all()
    assert (found[ids == tokenizer.eos_token_id] == -1).all()
    assert (found[1, mask[1] == 0] == -1).all()


def test_ranks_beyond_k_belong_to_no_rank():
    tokenizer = byte_level()
    ids, mask = encoded(tokenizer, ["\n".join(f"{i}. Alien (1979)" for i in range(1, 6))])
    assert set(rank_ids(tokenizer, ids, mask, rec_num=3)[0].tolist()) == {-1, 0, 1, 2}


def slots(text: str, rec_num: int, ended: bool = True) -> tuple[list[int], list[int]]:
    tokenizer = byte_level()
    ids, _ = encoded(tokenizer, [text])
    row = list_slots(tokenizer, [ids[0].numpy()], [text], parse_batch([text]), rec_num, True, [ended])
    return row[0].tolist(), ids[0].tolist()


def test_an_early_end_is_credited_to_the_first_missing_rank():
    found, _ = slots("1. Alien (1979)\n2. Frozen (2013)\nEnjoy!", rec_num=5)
    assert found[-1] == 2 and found[found.index(2) :] == [2] * found.count(2)
    assert {0, 1} <= set(found)


@pytest.mark.parametrize("cut", ["", "\n", "\n3", "\n3.", "\n\n**3. ", "\n- **"])
def test_to_be_cut_off_between_two_entries_is_no_choice_to_end_the_list(cut):
    text = "1. Alien (1979)\n2. Frozen (2013)" + cut
    assert set(slots(text, rec_num=5, ended=False)[0]) <= {-1, 0, 1}
    assert 2 in slots(text + "\nEnjoy!", rec_num=5)[0]


@pytest.mark.parametrize("filler", ["\nI could go on, but", "\n" * 50, "\n1 2 3 4 5 6 7", "\n" + " ..." * 9])
def test_whatever_else_is_written_up_to_the_limit_ends_the_list(filler):
    assert 2 in slots("1. Alien (1979)\n2. Frozen (2013)" + filler, rec_num=5, ended=False)[0]


def test_the_end_of_a_full_list_is_credited_to_the_slot_behind_the_last_rank():
    found, _ = slots("1. Alien (1979)\n2. Frozen (2013)", rec_num=2)
    assert found[-1] == 2


def test_what_runs_on_past_the_last_rank_is_credited_to_the_slot_behind_it():
    found, _ = slots("1. Alien (1979)\n2. Frozen (2013)\n3. The Thing (1982)", rec_num=2)
    assert max(found) == 2 and found[-1] == -1


def test_an_answer_without_a_list_is_an_end_at_the_first_rank():
    found, _ = slots("I would rather not.", rec_num=5)
    assert set(found) == {0}


def test_empty_completions_have_no_slots():
    tokenizer, texts = byte_level(), ["", "1. Alien (1979)", ""]
    rows = [np.asarray(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    assert [len(r) for r in list_slots(tokenizer, rows, texts, parse_batch(texts), 20)] == [0, len(rows[1]), 0]
    assert list_slots(tokenizer, [], [], parse_batch([]), 20) == []
    assert rank_ids(tokenizer, torch.zeros(2, 0, dtype=torch.long), torch.zeros(2, 0)).shape == (2, 0)
    assert rank_ids(tokenizer, torch.zeros(0, 3, dtype=torch.long), torch.zeros(0, 3)).shape == (0, 3)


@pytest.mark.parametrize("family", FAMILIES)
@given(text=st.one_of(st.text(max_size=80), st.lists(st.sampled_from(TEXTS)).map("\n".join)))
@example(text="1. Amélie (2001)\n2. 千と千尋 (2001) 🎬\n3. x")
@example(text="  1.  Alien \n\n")
@settings(max_examples=60, deadline=None)
def test_offsets_cut_the_text_where_its_prefixes_end(family, text):
    """Against decoding every prefix; tokens inside one character may only move within it."""
    tokenizer = FAMILIES[family]()
    ids = np.array(tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id])
    decoded = tokenizer.decode(ids, skip_special_tokens=True)
    text = decoded.encode()
    starts, ends = LaidOut(tokenizer, ids, np.array([len(ids)])).offsets([text], wanted=np.array([True]))
    assert (starts <= ends).all() and (starts[1:] >= starts[:-1]).all() and (ends <= len(text)).all()
    if "�" not in decoded and family != "wordpiece":
        _, slow_ends = _by_prefixes(tokenizer, ids, text)
        solid = [i for i in range(len(ids)) if text[: ends[i]].decode(errors="ignore").encode() == text[: ends[i]]]
        for i in solid:
            assert text[min(ends[i], slow_ends[i]) : max(ends[i], slow_ends[i])].strip() == b""


@pytest.mark.parametrize("family", FAMILIES)
def test_random_token_sequences_of_a_policy_are_credited_as_prefix_by_prefix(family):
    """A policy samples tokens that no encoder would write: unmerged pieces, and of characters the halves.

    Within a broken character the end of a prefix is not defined, so that whole ones are compared token by token.
    """
    tokenizer, generator = FAMILIES[family](), torch.Generator().manual_seed(0)
    start = tokenizer("1. Alien (1979)\n2. ", add_special_tokens=False)["input_ids"]
    whole = torch.tensor([i for i in range(len(tokenizer)) if "\ufffd" not in tokenizer.decode([i])])
    drawn = torch.randint(0, len(whole), (25, 50), generator=generator)
    ids = torch.cat([torch.tensor([start] * 25), whole[drawn]], dim=1)
    mask = (torch.arange(ids.shape[1]) < torch.randint(20, ids.shape[1], (25, 1), generator=generator)).long()
    found = rank_ids(tokenizer, ids, mask)
    assert torch.equal(found, slow_rank_ids(tokenizer, ids, mask))
    assert (found >= 0).float().mean() > 0.1 and (found == -1).any()
    anything = torch.randint(0, len(tokenizer), (25, 50), generator=generator)
    broken = torch.cat([torch.tensor([start] * 25), anything], dim=1)
    same = rank_ids(tokenizer, broken, torch.ones_like(broken)) == slow_rank_ids(
        tokenizer, broken, torch.ones_like(broken)
    )
    assert same.float().mean() > 0.97


@pytest.mark.parametrize("family", ["byte_level", "sentencepiece"])  # a word piece of spaces alone there is none
def test_spaces_within_an_entry_belong_to_its_rank(family):
    tokenizer = FAMILIES[family]()
    ids, mask = encoded(tokenizer, ["1. The    Thing (1982)\n2. Up    (2009)"])
    found = rank_ids(tokenizer, ids, mask)
    assert torch.equal(found, slow_rank_ids(tokenizer, ids, mask))
    pieces = tokenizer.convert_ids_to_tokens(ids[0])
    assert {rank for piece, rank in zip(pieces, found[0].tolist(), strict=True) if not piece.strip("▁Ġ")} == {0, 1}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_text_of_the_families_is_decoded_prefix_by_prefix(family, monkeypatch):
    """That is right too, but takes as many decodings as there are tokens."""
    monkeypatch.setattr("trainer.offsets._by_prefixes", lambda *_: pytest.fail("decoded prefix by prefix"))
    rank_ids(FAMILIES[family](), *encoded(FAMILIES[family](), [*TEXTS, "1. Filmed in Enjoyment (1994) 🦑"]))


_LINES = st.tuples(
    st.sampled_from(["1. ", "2) ", "- ", "* **", "10. *"]),
    st.sampled_from(["Alien", "The Thing", "Amélie", "千と千尋の神隠し", "Se7en", "2001: A Space Odyssey", "Léon"]),
    st.sampled_from([" (1979)", "** (2001)", "", ", 1995", " - a charming tale", " 🎬"]),
).map("".join)


@pytest.mark.parametrize("family", FAMILIES)
@given(lines=st.lists(st.one_of(_LINES, st.just(""), st.just("Enjoy your evening!")), max_size=6))
@settings(max_examples=40, deadline=None)
def test_lists_in_any_format_are_credited_as_prefix_by_prefix(family, lines):
    tokenizer = FAMILIES[family]()
    ids, mask = encoded(tokenizer, ["\n".join(lines)])
    found, slow = rank_ids(tokenizer, ids, mask), slow_rank_ids(tokenizer, ids, mask)
    # A token within a character adds nothing to the text of its prefix: it has the rank of the character, or none.
    split = torch.tensor([["\ufffd" in tokenizer.decode([i]) for i in ids[0].tolist()]])
    assert torch.equal(found[~split], slow[~split])


@pytest.mark.parametrize("shape", [((2, 3), (2, 4)), ((3,), (3,))])
def test_ids_and_mask_of_different_shape_are_refused(shape):
    with pytest.raises(ValueError, match="same \\(B, T\\)"):
        rank_ids(byte_level(), torch.zeros(shape[0], dtype=torch.long), torch.ones(shape[1]))
