"""Hashes of texts, and look-up by hash, many at once.

A dictionary of a million titles takes 100 MB and one look-up a title. Here the hashes are sorted, and the first bits of a hash say
between which two places of the sorted array it must stand; all titles of a batch are looked up in a few numpy calls. Example with
hashes of 4 bits, of which the first two choose the bucket:

    hashes, sorted   0010 0111 1100 1101
    buckets          0, 1, 2, 2, 4           hashes that begin with 00: places 0 to 1; with 01: 1 to 2; 10: none; 11: 2 to 4
    wanted 1101      bucket 11: places 2 and 3 are compared, place 3 has it
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.base.arrow import booleans_of

WORDS, BLOCKS = 4, 16  # a text is read in blocks of so many words of eight bytes; after so many, multipliers come again
BLOCK = 8 * WORDS  # bytes: few titles have more
FIRST_BYTES = np.array([2 ** (8 * count) - 1 for count in range(9)], np.uint64)  # masks of a word's first bytes
# The same for the words of a block, by the number of bytes that it has.
BLOCK_MASKS = FIRST_BYTES[np.clip(np.arange(BLOCK + 1)[:, None] - np.arange(0, BLOCK, 8), 0, 8)]


@dataclass(frozen=True)
class HashIndex:
    """Entries by hash. What is found must be compared with what was meant: hashes of 32 bits do collide."""

    slots: np.ndarray  # uint64, sorted: hash << 32 | entry, what the hash stands for
    buckets: np.ndarray  # int32: where the slots begin whose hashes have the same first bits; 2**bits + 1 of them

    @classmethod
    def build(cls, hashes: np.ndarray, entries: np.ndarray) -> "HashIndex":
        """Index entries (from 0 to 2**31) by their hashes (uint32), which are sorted."""
        slots = hashes.astype(np.uint64) << np.uint64(32) | entries.astype(np.uint64)
        return cls(slots, _buckets(hashes))

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (positions in `wanted`, entries): every entry of each hash (uint32), positions ascending."""
        position, place = _places(self.buckets, wanted)
        slot = self.slots.take(place)
        same = np.flatnonzero(slot >> np.uint64(32) == wanted.take(position))
        return position.take(same), slot.take(same).astype(np.int32)


@dataclass(frozen=True)
class UniqueHashes:
    """Entries by hashes of 64 bits, which tell them apart: what is found is what was meant, but for chance."""

    hashes: np.ndarray  # uint64, sorted, all different
    entries: np.ndarray  # int32: what each hash stands for
    buckets: np.ndarray  # int32: as of HashIndex

    @classmethod
    def build(cls, hashes: np.ndarray, entries: np.ndarray) -> "UniqueHashes":
        """Index entries (int32) by their hashes (uint64); of several with one hash, the first one."""
        hashes, first = np.unique(hashes, return_index=True)
        return cls(hashes, entries[first], _buckets(hashes))

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (positions in `wanted`, entries) of the hashes (uint64) that are known, positions ascending."""
        position, place = _places(self.buckets, wanted)
        same = np.flatnonzero(self.hashes.take(place) == wanted.take(position))
        return position.take(same), self.entries.take(place.take(same))


def _buckets(hashes: np.ndarray) -> np.ndarray:
    """Return where in sorted hashes those begin that have the same first bits: one or two on average."""
    bits = int(np.clip(np.log2(len(hashes) + 1), 1, 26))
    first = np.arange(2**bits, dtype=hashes.dtype) << hashes.dtype.type(8 * hashes.itemsize - bits)
    return np.append(np.searchsorted(hashes, first), len(hashes)).astype(np.int32)


def _places(buckets: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (position in `wanted`, place) for every place of the bucket of each hash."""
    bits = len(buckets).bit_length() - 1
    bucket = (wanted >> wanted.dtype.type(8 * wanted.itemsize - bits)).astype(np.int64)
    return spread(buckets.take(bucket), buckets.take(bucket + 1))


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


def random_multipliers() -> np.ndarray:
    """Return multipliers for `text_hashes`: odd, and nobody's to know, so that nobody can make texts that collide."""
    return np.random.default_rng().integers(0, 2**63, 2 * BLOCKS * WORDS + 3, np.uint64) * np.uint64(2) + np.uint64(1)


def text_hashes(texts: pa.StringArray, multipliers: np.ndarray, years: np.ndarray | None = None) -> np.ndarray:
    """Return a hash (uint64) of each text, and of its year (int16) where years are given; whatever for a null.

    Multilinear hashing: the sum of each word of eight bytes times the multiplier of its place, modulo 2**64. Of words
    that differ in high bytes alone such sums are often the same (multiples of 2**56), so the same is done to the words
    with their bytes turned round, and both are mixed.
    """
    if len(texts) == 0:
        return np.zeros(0, np.uint64)
    _, offset_buffer, byte_buffer = texts.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32, len(texts) + 1, texts.offset * 4)
    octets = np.zeros(offsets[-1] - offsets[0] + BLOCK, np.uint8)  # with room to read the last block
    if offsets[-1] > offsets[0]:
        octets[:-BLOCK] = np.frombuffer(byte_buffer, np.uint8, offsets[-1] - offsets[0], offsets[0])
    blocks = np.ndarray(len(octets) - BLOCK + 1, f"V{BLOCK}", octets, 0, (1,))  # from each place on, not copied
    start, length = offsets[:-1] - offsets[0], offsets[1:] - offsets[:-1]
    forward, turned = multipliers[:-3].reshape(2, BLOCKS, WORDS)
    sums, turned_sums = length.astype(np.uint64) * multipliers[-2], np.zeros(len(texts), np.uint64)
    if years is not None:
        sums += (years.astype(np.uint64) + np.uint64(1)) * multipliers[-1]
    for number in range(-(-int(length.max()) // BLOCK)):
        rows: np.ndarray | slice = np.flatnonzero(length > BLOCK * number) if number else slice(None)
        words = blocks[start[rows] + BLOCK * number].view(np.uint64).reshape(-1, WORDS)
        words &= BLOCK_MASKS.take(np.minimum(length[rows] - BLOCK * number, BLOCK), axis=0)
        again, place = divmod(number, BLOCKS)
        sums[rows] += words @ forward[place] ** np.uint64(again + 1)
        turned_sums[rows] += words.byteswap(inplace=True) @ turned[place] ** np.uint64(again + 1)
    sums ^= sums >> np.uint64(32)
    return sums * multipliers[-3] + turned_sums


def query_hashes(title: pa.StringArray, year: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    """Return a hash (uint64, odd) of each title and year (int16, -1 = none); all without a title have the same."""
    hashes = text_hashes(title, multipliers, year)
    if title.null_count:
        hashes[~booleans_of(title.is_valid())] = 2  # 0 is that of the empty title
    return hashes | np.uint64(1)


def distinct(hashes: np.ndarray) -> np.ndarray:
    """Return positions (ascending) of hashes, one of each."""
    order = hashes.argsort()
    in_order = hashes.take(order)
    again = np.flatnonzero(in_order[1:] == in_order[:-1])
    return np.sort(np.delete(order, again)) if len(again) else np.arange(len(hashes))


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
