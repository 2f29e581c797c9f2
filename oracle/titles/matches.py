"""What was found for queries, as columns, and a memory of it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.arrow import bits_of, flags_of
from oracle.index import FILM, HashNumbers, Titles, imdb_ids, risk_blocks, spread
from oracle.titles.ranking import AMBIGUOUS, EXACT, METHODS

METHOD_NAMES = pa.array(METHODS)
# What was found for a query, and all that a verdict needs to know of it.
FOUND = np.dtype(
    [
        ("of_film", FILM),  # zeros = no match
        ("score", np.float64),  # 0..1
        ("title_no", np.int32),  # number of the title, -1 = no match
        ("year", np.int16),  # its year, -1 = not known
        ("method", np.int8),  # position in METHODS, -1 = no match
    ],
    align=True,
)


@dataclass(frozen=True)
class Matches:
    """What was found for each query, in order."""

    found: np.ndarray  # FOUND
    # Of queries without a year whose title several films have: query (ascending) and the number of each title, the best one first.
    several_query: np.ndarray
    several_title_no: np.ndarray

    @classmethod
    def none(cls, queries: int) -> "Matches":
        """Nothing found yet."""
        nothing = np.zeros(queries, FOUND)
        for name in ("title_no", "year", "method"):
            nothing[name] = -1
        return cls(nothing, np.empty(0, np.int64), np.empty(0, np.int32))

    @property
    def title_no(self) -> np.ndarray:
        """The number of the title found for each query (int32, -1 = no match)."""
        return self.found["title_no"]

    @property
    def risk_block(self) -> np.ndarray:
        """The block of risks of each query's film (int64); 0, the one without risks, where there is no match."""
        return risk_blocks(self.found["of_film"])

    def put(self, query: np.ndarray, title_no: np.ndarray, record: np.ndarray) -> None:
        """Fill in the title of some queries, and what its TITLE record says."""
        self.found["title_no"][query] = title_no
        self.found["of_film"][query] = record["of_film"]
        self.found["year"][query] = record["year"]

    def put_scores(self, query: np.ndarray, method: np.ndarray | int, score: np.ndarray | float) -> None:
        """Fill in how well, and how, some queries were found."""
        self.found["method"][query] = method
        self.found["score"][query] = score

    def columns(self, title: pa.StringArray, titles: Titles) -> dict[str, pa.Array]:
        """Return the columns imdb_id, matched_title, matched_year, match_method, match_score; null where nothing was found."""
        found, title_no, method, year = (
            np.ascontiguousarray(self.found[name]) for name in ("of_film", "title_no", "method", "year")
        )
        some, exact = title_no >= 0, method == EXACT
        # An exact match has the title that was asked for.
        other_title = titles.title.take(pa.array(title_no, mask=exact | ~some))
        valid = bits_of(some)
        return {
            "imdb_id": imdb_ids(found, titles.long_ids, ~some),
            "matched_title": pc.if_else(flags_of(exact), title, other_title),
            "matched_year": _numbers(pa.int16(), year, bits_of(year >= 0)),
            "match_method": METHOD_NAMES.take(_numbers(pa.int8(), method, valid)),
            "match_score": _numbers(pa.float64(), np.ascontiguousarray(self.found["score"]), valid),
        }


def _numbers(kind: pa.DataType, values: np.ndarray, valid: pa.Buffer) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(values)])


class Memory:
    """What was found for queries before, up to a fixed number of them.

    They are told apart by their hashes, of 63 bits.
    """

    SIZE = 2**17  # queries; 14 MB

    def __init__(self) -> None:
        self._numbers = HashNumbers()
        self._found = np.zeros(self.SIZE, FOUND)  # in the order in which queries were new: neighbours in memory
        self._several = np.zeros((self.SIZE, 2), np.int64)  # where in several_title_no an ambiguous query's are
        self._several_title_no = np.empty(0, np.int32)

    def numbers(self, hashes: np.ndarray) -> np.ndarray:
        """Return the number of each query, -1 where it was not asked before."""
        return self._numbers.find(hashes)

    def has_room(self, queries: int) -> bool:
        """Whether so many new queries can be remembered."""
        return self._numbers.count + queries <= self.SIZE

    def add(self, hashes: np.ndarray, matches: Matches) -> np.ndarray:
        """Remember what was found for new queries, all different, and return their numbers."""
        start, end = self._numbers.count, self._numbers.count + len(hashes)
        self._found[start:end] = matches.found
        if len(matches.several_query):
            ends = len(self._several_title_no) + np.cumsum(np.bincount(matches.several_query, minlength=len(hashes)))
            self._several[start:end, 1] = ends
            self._several[start, 0], self._several[start + 1 : end, 0] = len(self._several_title_no), ends[:-1]
            self._several_title_no = np.concatenate([self._several_title_no, matches.several_title_no])
        return self._numbers.add(hashes)

    def recall(self, numbers: np.ndarray) -> Matches:
        """Return what was found for queries that are remembered."""
        found = self._found.take(numbers)
        query, title_no = np.empty(0, np.int64), np.empty(0, np.int32)
        if len(self._several_title_no):
            ambiguous = np.flatnonzero(found["method"] == AMBIGUOUS)
            number, place = spread(*self._several[numbers[ambiguous]].T)
            query, title_no = ambiguous[number], self._several_title_no[place]
        return Matches(found, query, title_no)
