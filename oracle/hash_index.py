"""Look-up of 32-bit hashes in a sorted array, many at once."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

BUCKET_SIZE = 8  # entries a bucket, on average
ROWS_AT_ONCE = 100_000
# Odd numbers without a pattern, the same in every process: an index outlives the one that made it.
MULTIPLIERS = np.random.Generator(np.random.PCG64(20_04)).integers(0, 2**63, 1024, np.uint64) * np.uint64(2) + np.uint64(1)


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
        low = self._first(wanted, np.less, self.buckets[bucket], self.buckets[bucket + 1])
        count = self._first(wanted, np.less_equal, low, self.buckets[bucket + 1]) - low
        position = np.repeat(np.arange(len(wanted)), count)
        return position, self.entries[np.arange(len(position)) + np.repeat(low - np.cumsum(count) + count, count)]

    def _first(self, wanted: np.ndarray, before: np.ufunc, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return the first place from low to high whose hash is not `before` the one wanted."""
        while (searched := low < high).any():
            middle = (low + high) >> 1
            passed = searched & before(self.hashes[np.where(searched, middle, 0)], wanted)
            low, high = np.where(passed, middle + 1, low), np.where(searched & ~passed, middle, high)
        return low


def text_hashes(texts: pa.StringArray, years: np.ndarray | None = None) -> np.ndarray:
    """Return a hash (uint32) of each text, and of its year (int16) where years are given; whatever for a null."""
    hashes = np.zeros(len(texts), np.uint64) if years is None else years.astype(np.uint64) * MULTIPLIERS[-1]
    for start in range(0, len(texts), ROWS_AT_ONCE):
        hashes[start : start + ROWS_AT_ONCE] += _sums(texts.slice(start, ROWS_AT_ONCE))
    return (hashes >> np.uint64(32)).astype(np.uint32)


def _sums(texts: pa.StringArray) -> np.ndarray:
    """Return the sum over each text's bytes, times the multiplier of their place (multilinear hashing)."""
    _, offset_buffer, byte_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32, len(texts) + 1, texts.offset * 4)
    if offsets[0] == offsets[-1]:
        return np.zeros(len(texts), np.uint64)
    octets = np.frombuffer(byte_buffer, np.uint8)[offsets[0] : offsets[-1]]
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    place = np.arange(len(octets), dtype=np.int32) - np.repeat(starts, lengths)
    # A zero byte counts as well: "a" and "a\0" differ.
    terms = (octets.astype(np.uint64) + np.uint64(1)) * MULTIPLIERS[place & (len(MULTIPLIERS) - 1)]
    # reduceat gives an empty text the term of the next one: it is cleared.
    sums = np.add.reduceat(terms, np.minimum(starts, len(octets) - 1))
    sums[lengths == 0] = 0
    return sums
