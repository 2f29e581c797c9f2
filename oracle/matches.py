"""What was found for queries, as columns, and a memory of it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.choice import METHODS
from oracle.hash_index import HashSlots, spread, text_hashes
from oracle.titles import Titles, booleans_of

METHOD_NAMES = pa.array(METHODS)


@dataclass(frozen=True)
class Matches:
    """What was found for each query, in order."""

    form: np.ndarray  # int32: title form, -1 = no match
    method: np.ndarray  # int8: position in METHODS, -1 = no match
    score: np.ndarray  # float64 in 0..1, nan = no match
    # Of queries without a year whose title several films have: query (ascending) and each title form, the best one first.
    several_query: np.ndarray
    several_form: np.ndarray

    @classmethod
    def none(cls, queries: int) -> "Matches":
        """Nothing found yet."""
        return cls(
            np.full(queries, -1, np.int32), np.full(queries, -1, np.int8), np.full(queries, np.nan),
            np.empty(0, np.int64), np.empty(0, np.int32),
        )  # fmt: skip

    def columns(self, titles: Titles) -> dict[str, pa.Array]:
        """Return the columns imdb_id, matched_title, matched_year, match_method, match_score; null where nothing was found."""
        none = self.form < 0
        form = np.where(none, 0, self.form)
        film, year = (numbers[form] if len(numbers) else form for numbers in (titles.film, titles.year))
        return {
            "imdb_id": titles.imdb_id.take(pa.array(film, mask=none)),
            "matched_title": titles.title.take(pa.array(form, mask=none)),
            "matched_year": pa.array(year.astype(np.int16, copy=False), mask=none | (year < 0)),
            "match_method": METHOD_NAMES.take(pa.array(self.method, mask=none)),
            "match_score": pa.array(self.score, mask=none),
        }


class Memory:
    """What was found for queries before, up to a fixed number of them.

    They are told apart by 64 bits of a hash whose multipliers are random, so that nobody can make two that collide; by
    chance they do once in a billion batches.
    """

    SIZE = 2**17  # queries; 5 MB

    def __init__(self) -> None:
        self._multipliers = np.random.default_rng().integers(0, 2**63, 66, np.uint64) * np.uint64(2) + np.uint64(1)
        self._slots = HashSlots(self.SIZE)
        self._found = Matches.none(self.SIZE)
        self._several_start = np.zeros(self.SIZE + 1, np.int64)
        self._several_form = np.empty(0, np.int32)

    def hashes(self, title: pa.StringArray, year: np.ndarray) -> np.ndarray:
        """Return what each query is remembered by; all without a title are one."""
        hashes = text_hashes(title, year, self._multipliers)
        hashes[~booleans_of(title.is_valid())] = 0
        return hashes

    def slots(self, hashes: np.ndarray) -> np.ndarray:
        """Return the slot of each query, -1 where it was not asked before."""
        return self._slots.find(hashes)

    def has_room(self, queries: int) -> bool:
        """Whether so many new queries can be remembered."""
        return self._slots.used + queries <= self.SIZE

    def add(self, hashes: np.ndarray, found: Matches) -> None:
        """Remember what was found for new queries."""
        start, end = self._slots.used, self._slots.used + len(hashes)
        self._slots.add(hashes)
        self._found.form[start:end] = found.form
        self._found.method[start:end] = found.method
        self._found.score[start:end] = found.score
        several = np.bincount(found.several_query, minlength=len(hashes))
        self._several_start[start + 1 : end + 1] = len(self._several_form) + np.cumsum(several)
        self._several_form = np.concatenate([self._several_form, found.several_form])

    def recall(self, slots: np.ndarray) -> Matches:
        """Return what was found for queries that are remembered."""
        query, form = np.empty(0, np.int64), np.empty(0, np.int32)
        if len(self._several_form):
            query, place = spread(self._several_start[slots], self._several_start[slots + 1])
            form = self._several_form[place]
        return Matches(self._found.form[slots], self._found.method[slots], self._found.score[slots], query, form)
