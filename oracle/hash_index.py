"""Hashes of texts, and look-up by hash, many at once."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

# Odd numbers without a pattern, the same in every process: an index outlives the one that made it.
MULTIPLIERS = np.random.default_rng(2004).integers(0, 2**63, 66, np.uint64) * np.uint64(2) + np.uint64(1)
FIRST_BYTES = np.array([2 ** (8 * count) - 1 for count in range(9)], np.uint64)  # masks of a word's first bytes
FIRST_WORDS = 4
# The same for the first words of a text, by its length.
FIRST_MASKS = FIRST_BYTES[np.clip(np.arange(8 * FIRST_WORDS + 1)[:, None] - np.arange(0, 8 * FIRST_WORDS, 8), 0, 8)]


@dataclass(frozen=True)
class HashIndex:
    """Entries by hash. What is found must be compared with what was meant: hashes of 32 bits do collide."""

    slots: np.ndarray  # uint64, sorted: hash << 32 | entry, what the hash stands for
    buckets: np.ndarray  # int32: where the slots begin whose hashes have the same first bits; 2**bits + 1 of them

    @classmethod
    def build(cls, hashes: np.ndarray, entries: np.ndarray) -> "HashIndex":
        """Index entries (from 0 to 2**31) by their hashes (uint32), which are sorted. A bucket has one or two of them."""
        bits = int(np.clip(np.log2(len(hashes) + 1), 1, 26))
        first = np.arange(2**bits + 1, dtype=np.uint64) << np.uint64(32 - bits)
        slots = hashes.astype(np.uint64) << np.uint64(32) | entries.astype(np.uint64)
        return cls(slots, np.searchsorted(hashes, first).astype(np.int32))

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (positions in `wanted`, entries): every entry of each hash (uint32), positions ascending."""
        bits = len(self.buckets).bit_length() - 1
        bucket = (wanted >> np.uint32(32 - bits)).astype(np.int64)
        position, place = spread(self.buckets.take(bucket), self.buckets.take(bucket + 1))
        slot = self.slots.take(place)
        same = np.flatnonzero(slot >> np.uint64(32) == wanted.take(position))
        return position.take(same), slot.take(same).astype(np.int32)


def first_of_each(values: np.ndarray) -> np.ndarray:
    """Whether each of some values, equal ones together, is the first of its kind (bool)."""
    first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


def spread(start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (number of the range, place) for every place of each range from start to before end."""
    count = end - start
    number = np.repeat(np.arange(len(start)), count)
    return number, np.arange(len(number)) + (start - np.cumsum(count) + count).take(number)


def text_hashes(
    texts: pa.StringArray, years: np.ndarray | None = None, multipliers: np.ndarray = MULTIPLIERS
) -> np.ndarray:
    """Return a hash (uint64) of each text, and of its year (int16) where years are given; whatever for a null.

    Multilinear hashing of words of eight bytes: the sum of each word times the multiplier of its place, modulo 2**64.
    """
    if len(texts) == 0:
        return np.zeros(0, np.uint64)
    _, offset_buffer, byte_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32, len(texts) + 1, texts.offset * 4)
    octets = np.zeros(offsets[-1] - offsets[0] + 8 * FIRST_WORDS, np.uint8)  # with room to read the last words
    if offsets[-1] > offsets[0]:
        octets[: -8 * FIRST_WORDS] = np.frombuffer(byte_buffer, np.uint8, offsets[-1] - offsets[0], offsets[0])
    start, length = offsets[:-1] - offsets[0], np.diff(offsets)
    # The first words of all texts at once: few texts have more.
    first = _windows(octets, FIRST_WORDS)[start].view(np.uint64).reshape(-1, FIRST_WORDS)
    first &= FIRST_MASKS.take(np.minimum(length, 8 * FIRST_WORDS), axis=0)
    hashes = first @ multipliers[:FIRST_WORDS]
    hashes += length.astype(np.uint64) * multipliers[-2]
    if years is not None:
        hashes += (years.astype(np.uint64) + np.uint64(1)) * multipliers[-1]
    rows, number = np.arange(len(texts)), FIRST_WORDS
    while len(rows := rows[length[rows] > 8 * number]):
        word = _windows(octets, 1)[start[rows] + 8 * number].view(np.uint64)
        rest = np.minimum(length[rows] - 8 * number, 8)
        again, place = divmod(number, len(multipliers) - 2)  # longer texts have odd multiples of the multipliers
        factor = np.uint64(int(multipliers[place]) * (2 * again + 1) % 2**64)
        hashes[rows] += (word & FIRST_BYTES[rest]) * factor
        number += 1
    return hashes


def _windows(octets: np.ndarray, words: int) -> np.ndarray:
    """Return the eight bytes a word from each place of `octets` on, not copied."""
    return np.ndarray(len(octets) - 8 * words + 1, f"V{8 * words}", octets, 0, (1,))


def distinct(hashes: np.ndarray) -> np.ndarray:
    """Return positions (ascending) of hashes, one of each."""
    order = hashes.argsort()
    in_order = hashes.take(order)
    again = np.flatnonzero(in_order[1:] == in_order[:-1])
    return np.sort(np.delete(order, again)) if len(again) else np.arange(len(hashes))


def folded(hashes: np.ndarray) -> np.ndarray:
    """Return 32 bits (uint32) of hashes."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


class HashNumbers:
    """Numbers hashes (uint64, none of them 0) from 0, by open addressing in a table that is at most half full."""

    SLOT = np.dtype([("hash", np.uint64), ("number", np.int64)])  # hash 0 = free

    def __init__(self) -> None:
        self.count = 0
        self._slots = np.zeros(2**15, self.SLOT)

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """Return the number (int64) of each hash, -1 where it has none."""
        place = self._first(hashes)
        slot = self._slots.take(place)
        number = slot["number"]
        open_ = np.flatnonzero(slot["hash"] != hashes)
        number[open_] = -1
        open_ = open_[slot["hash"][open_] != 0]
        place = place[open_]
        while len(open_):
            place = self._next(place)
            slot = self._slots.take(place)
            found = slot["hash"] == hashes[open_]
            number[open_[found]] = slot["number"][found]
            on = ~found & (slot["hash"] != 0)
            open_, place = open_[on], place[on]
        return number

    def add(self, hashes: np.ndarray) -> np.ndarray:
        """Give the next numbers to hashes that are new and all different, and return these."""
        numbers = np.arange(self.count, self.count + len(hashes))
        self.count += len(hashes)
        if 2 * self.count > len(self._slots):
            taken = self._slots[self._slots["hash"] != 0]
            self._slots = np.zeros(2 ** (4 * self.count).bit_length(), self.SLOT)
            self._put(taken["hash"], taken["number"])
        self._put(hashes, numbers)
        return numbers

    def _put(self, hashes: np.ndarray, numbers: np.ndarray) -> None:
        place, open_ = self._first(hashes), np.arange(len(hashes))
        taken = self._slots["hash"]
        while len(open_):
            free = open_[taken[place[open_]] == 0]
            self._slots["number"][place[free]] = numbers[free]  # first: an interrupt leaves no hash with a wrong number
            taken[place[free]] = hashes[free]
            open_ = open_[taken[place[open_]] != hashes[open_]]  # taken before, or just now by another one
            place[open_] = self._next(place[open_])

    def _first(self, hashes: np.ndarray) -> np.ndarray:
        return (hashes >> np.uint64(40)).astype(np.int64) & (len(self._slots) - 1)

    def _next(self, place: np.ndarray) -> np.ndarray:
        return (place + 1) & (len(self._slots) - 1)
