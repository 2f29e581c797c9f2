"""Hashes are those of their formula, and what is looked up by hash is all found, whatever collides."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from oracle.hash_index import MULTIPLIERS, HashIndex, HashNumbers, distinct, first_of_each, text_hashes

few = st.lists(st.integers(0, 12), max_size=60)


def by_the_formula(text: str, year: int | None) -> int:
    octets, odd = text.encode(), [int(number) for number in MULTIPLIERS]
    hashed = len(octets) * odd[-2] + (0 if year is None else (year + 1) * odd[-1])
    for number in range((len(octets) + 7) // 8):
        word = int.from_bytes(octets[8 * number : 8 * number + 8], "little")
        hashed += word * odd[number % 64] * (2 * (number // 64) + 1)
    return hashed % 2**64


@given(st.lists(st.tuples(st.text(max_size=90), st.integers(-1, 3000)), max_size=20), st.integers(0, 5))
def test_a_hash_is_the_sum_of_words_times_multipliers(rows: list[tuple[str, int]], skipped: int) -> None:
    texts = pa.array([text for text, _ in rows], pa.string()).slice(skipped)
    years = np.array([year for _, year in rows], np.int16)[skipped:]
    expected = [by_the_formula(text, year) for text, year in rows[skipped:]]
    assert text_hashes(texts, years).tolist() == expected
    assert text_hashes(texts).tolist() == [by_the_formula(text, None) for text, _ in rows[skipped:]]


def test_long_texts_are_hashed_to_their_end() -> None:
    texts = ["x" * length for length in (47, 48, 49, 511, 512, 513, 1200)]
    assert text_hashes(pa.array(texts)).tolist() == [by_the_formula(text, None) for text in texts]


@given(few, few)
def test_an_index_finds_every_entry_of_a_hash(hashes: list[int], wanted: list[int]) -> None:
    """Hashes that tie, at both ends of their range."""
    spread_out = np.sort(np.array([number if number % 2 else 2**32 - 1 - number for number in hashes], np.uint32))
    asked = np.array([number if number % 2 else 2**32 - 1 - number for number in wanted], np.uint32)
    position, entry = HashIndex.build(spread_out, np.arange(len(hashes))).find(asked)
    expected = [(p, e) for p, one in enumerate(asked) for e, other in enumerate(spread_out) if one == other]
    assert list(zip(position.tolist(), entry.tolist(), strict=True)) == expected


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
