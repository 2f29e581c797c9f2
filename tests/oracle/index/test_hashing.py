"""Hashes are those of their formula, and what is looked up by hash is all found, whatever collides."""

from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.index.hashing import (
    HashIndex,
    HashNumbers,
    UniqueHashes,
    distinct,
    first_of_each,
    query_hashes,
    random_multipliers,
    text_hashes,
)

few = st.lists(st.integers(0, 12), max_size=60)
MULTIPLIERS = random_multipliers()


def by_the_formula(text: str, year: int | None) -> int:
    octets, odd = text.encode(), [int(number) for number in MULTIPLIERS]
    total = len(octets) * odd[129] + (0 if year is None else (year + 1) * odd[130])
    turned_total = 0
    for number in range((len(octets) + 7) // 8):
        word, power = octets[8 * number : 8 * number + 8].ljust(8, b"\0"), number // 64 + 1
        total += int.from_bytes(word, "little") * odd[number % 64] ** power
        turned_total += int.from_bytes(word, "big") * odd[64 + number % 64] ** power
    total %= 2**64
    return ((total ^ total >> 32) * odd[128] + turned_total) % 2**64


@given(st.lists(st.tuples(st.text(max_size=90), st.integers(-1, 3000)), max_size=20), st.integers(0, 5))
def test_a_hash_is_the_mixed_sums_of_words_times_multipliers(rows: list[tuple[str, int]], skipped: int) -> None:
    texts = pa.array([text for text, _ in rows], pa.string()).slice(skipped)
    years = np.array([year for _, year in rows], np.int16)[skipped:]
    expected = [by_the_formula(text, year) for text, year in rows[skipped:]]
    assert text_hashes(texts, MULTIPLIERS, years).tolist() == expected
    assert text_hashes(texts, MULTIPLIERS).tolist() == [by_the_formula(text, None) for text, _ in rows[skipped:]]


def test_long_texts_are_hashed_to_their_end() -> None:
    texts = ["x" * length for length in (31, 32, 33, 47, 48, 49, 511, 512, 513, 1200)]
    assert text_hashes(pa.array(texts), MULTIPLIERS).tolist() == [by_the_formula(text, None) for text in texts]


@pytest.mark.parametrize("place", range(8))
def test_texts_that_differ_in_one_byte_of_each_word_have_hashes_of_their_own(place: int) -> None:
    """A plain sum of words would give 4,900 such texts 256 hashes, where the byte is the last one."""
    letters = [chr(48 + number) for number in range(70)]
    words = ["a" * place + letter + "b" * (7 - place) for letter in letters]
    texts = pa.array([f"{one}{other}" for one in words for other in words])
    assert len(np.unique(text_hashes(texts, MULTIPLIERS))) == len(texts)


def test_texts_of_which_parts_are_exchanged_have_hashes_of_their_own() -> None:
    parts = ["x" * 512, "y" * 512, "x" * 8, "y" * 8, "x" * 32, "y" * 32]
    texts = ["".join(parts) for parts in permutations(parts, 3)]
    assert len(set(text_hashes(pa.array(texts), MULTIPLIERS).tolist())) == len(set(texts))


def test_no_two_processes_have_the_same_multipliers() -> None:
    assert not (random_multipliers() == random_multipliers()).any()


@given(few, few)
def test_an_index_finds_every_entry_of_a_hash(hashes: list[int], wanted: list[int]) -> None:
    """Hashes that tie, at both ends of their range."""
    spread_out = np.sort(np.array([number if number % 2 else 2**32 - 1 - number for number in hashes], np.uint32))
    asked = np.array([number if number % 2 else 2**32 - 1 - number for number in wanted], np.uint32)
    position, entry = HashIndex.build(spread_out, np.arange(len(hashes))).find(asked)
    expected = [(p, e) for p, one in enumerate(asked) for e, other in enumerate(spread_out) if one == other]
    assert list(zip(position.tolist(), entry.tolist(), strict=True)) == expected


@given(few, few)
def test_unique_hashes_find_the_first_entry_of_a_hash(hashes: list[int], wanted: list[int]) -> None:
    ends = np.array([number if number % 2 else 2**64 - 1 - number for number in range(13)], np.uint64)
    position, entry = UniqueHashes.build(ends[hashes], np.arange(len(hashes), dtype=np.int32)).find(ends[wanted])
    expected = [(p, hashes.index(one)) for p, one in enumerate(wanted) if one in hashes]
    assert list(zip(position.tolist(), entry.tolist(), strict=True)) == expected


def test_queries_without_a_title_are_one_and_the_year_counts() -> None:
    titles = pa.array(["Heat", None, "Heat", None, "", "Heat"])
    hashes = query_hashes(titles, np.array([1995, 1995, -1, -1, -1, 1995], np.int16), MULTIPLIERS).tolist()
    assert hashes[0] == hashes[5] and hashes[1] == hashes[3] and len(set(hashes)) == 4


@given(st.lists(st.lists(st.integers(1, 2**64 - 1) | st.integers(1, 40), max_size=30), max_size=6))
def test_hashes_are_numbered_in_their_order(batches: list[list[int]]) -> None:
    """Small hashes all begin at the same place of the table."""
    numbers, known = HashNumbers(), dict[int, int]()
    for batch in batches:
        new = [hashed for hashed in dict.fromkeys(batch) if hashed not in known]
        assert numbers.find(np.array(batch, np.uint64)).tolist() == [known.get(hashed, -1) for hashed in batch]
        added = numbers.add(np.array(new, np.uint64)).tolist()
        assert added == list(range(len(known), len(known) + len(new)))
        known |= dict(zip(new, added, strict=True))
        assert numbers.find(np.array(list(known), np.uint64)).tolist() == list(known.values())


def test_numbers_stay_when_the_table_grows() -> None:
    hashes = np.random.default_rng(1).integers(1, 2**64, 100_000, np.uint64, endpoint=False)
    numbers = HashNumbers()
    for part in np.split(hashes, 20):
        numbers.add(part)
    assert (numbers.find(hashes) == np.arange(len(hashes))).all()
    assert (numbers.find(hashes + np.uint64(1)) == -1).all()


@given(few)
def test_one_of_each_is_kept(values: list[int]) -> None:
    hashes = np.array(values, np.uint64)
    kept = distinct(hashes)
    assert sorted(hashes[kept].tolist()) == sorted(set(values)) and (np.diff(kept) > 0).all()
    ordered = np.sort(hashes)
    assert ordered[first_of_each(ordered)].tolist() == sorted(set(values))
