"""Hashes of texts, and look-up by hash, many at once."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

BUCKET_SIZE = 2  # entries a bucket, on average
# Odd numbers without a pattern, the same in every process: an index outlives the one that made it.
MULTIPLIERS = np.random.default_rng(2004).integers(0, 2**63, 66, np.uint64) * np.uint64(2) + np.uint64(1)
FIRST_BYTES = np.array([2 ** (8 * count) - 1 for count in range(9)], np.uint64)  # masks of a word's first bytes


@dataclass(frozen=True)
class HashIndex:
    """Entries sorted by hash. What is found must be compared with what was meant: hashes of 32 bits do collide."""

    hashes: np.ndarray  # uint32, sorted
    entries: np.ndarray  # int32, what each hash stands for
    buckets: np.ndarray  # int32: where the hashes begin that have the same first bits; 2**bits + 1 of them

    @classmethod
    def build(cls, hashes: np.ndarray, entries: np.ndarray) -> "HashIndex":
        """Index hashes that are sorted."""
        bits = int(np.clip(np.log2(len(hashes) / BUCKET_SIZE + 1), 1, 24))
        first = np.arange(2**bits + 1, dtype=np.uint64) << np.uint64(32 - bits)
        return cls(hashes, entries, np.searchsorted(hashes, first).astype(np.int32))

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (positions in `wanted`, entries): every entry of each hash (uint32), positions ascending."""
        bits = len(self.buckets).bit_length() - 1
        bucket = wanted >> np.uint32(32 - bits)
        position, place = spread(self.buckets.take(bucket), self.buckets.take(bucket + np.uint32(1)))
        same = np.flatnonzero(self.hashes.take(place) == wanted.take(position))
        return position.take(same), self.entries.take(place.take(same))


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
    _, offset_buffer, byte_buffer = texts.buffers()
    if len(texts) == 0:
        return np.zeros(0, np.uint64)
    offsets = np.frombuffer(offset_buffer, np.int32, len(texts) + 1, texts.offset * 4)
    octets = np.zeros(offsets[-1] - offsets[0] + 8, np.uint8)  # with room to read the last word
    if len(octets) > 8:
        octets[:-8] = np.frombuffer(byte_buffer, np.uint8, len(octets) - 8, offsets[0])
    words = np.ndarray(len(octets) - 7, np.uint64, octets, 0, (1,))  # the eight bytes from each place on
    start, length = offsets[:-1] - offsets[0], np.diff(offsets)
    hashes = length.astype(np.uint64) * multipliers[-2]
    if years is not None:
        hashes += (years.astype(np.uint64) + np.uint64(1)) * multipliers[-1]
    rows, number = np.arange(len(texts)), 0
    while len(rows := rows[length[rows] > 8 * number]):
        rest = np.minimum(length[rows] - 8 * number, 8)
        factor = multipliers[number % (len(multipliers) - 2)] * np.uint64(2 * (number // (len(multipliers) - 2)) + 1)
        hashes[rows] += (words[start[rows] + 8 * number] & FIRST_BYTES[rest]) * factor
        number += 1
    return hashes


def folded(hashes: np.ndarray) -> np.ndarray:
    """Return 32 bits (uint32) of hashes."""
    return (hashes >> np.uint64(32)).astype(np.uint32)


class HashPlaces:
    """Gives hashes (uint64, none of them 0) places in a table that is at most half full, by open addressing."""

    def __init__(self, size: int) -> None:
        """Make room for `size` hashes."""
        self.used = 0
        self._hashes = np.zeros(2 ** (2 * size - 1).bit_length(), np.uint64)  # 0 = free

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """Return the place of each hash, -1 where it has none."""
        place = self._first(hashes)
        there = self._hashes.take(place)
        open_ = np.flatnonzero((there != hashes) & (there != 0))
        while len(open_):
            place[open_] = self._next(place[open_])
            there[open_] = self._hashes[place[open_]]
            open_ = open_[(there[open_] != hashes[open_]) & (there[open_] != 0)]
        return np.where(there == hashes, place, -1)

    def add(self, hashes: np.ndarray) -> np.ndarray:
        """Give places to hashes that are new and all different, and return them."""
        self.used += len(hashes)
        place, open_ = self._first(hashes), np.arange(len(hashes))
        while len(open_):
            free = open_[self._hashes[place[open_]] == 0]
            self._hashes[place[free]] = hashes[free]
            open_ = open_[self._hashes[place[open_]] != hashes[open_]]  # taken before, or just now by another one
            place[open_] = self._next(place[open_])
        return place

    def _first(self, hashes: np.ndarray) -> np.ndarray:
        return (hashes >> np.uint64(40)).astype(np.int64) & (len(self) - 1)

    def _next(self, place: np.ndarray) -> np.ndarray:
        return (place + 1) & (len(self) - 1)
