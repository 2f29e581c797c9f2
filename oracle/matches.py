"""What was found for queries, as columns, and a memory of it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.choice import AMBIGUOUS, METHODS
from oracle.hash_index import HashPlaces, spread, text_hashes
from oracle.titles import Titles, booleans_of

METHOD_NAMES = pa.array(METHODS)
# What was found for a query lies together: it costs one access to memory, not one a column.
FOUND = np.dtype(
    [
        ("score", np.float64),  # 0..1, nan = no match
        ("form", np.int32),  # title form, -1 = no match
        ("film", np.int32),  # its film
        ("year", np.int16),  # its year, -1 = not known
        ("method", np.int8),  # position in METHODS, -1 = no match
    ],
    align=True,
)


@dataclass(frozen=True)
class Matches:
    """What was found for each query, in order."""

    found: np.ndarray  # FOUND
    # Of queries without a year whose title several films have: query (ascending) and each title form, the best one first.
    several_query: np.ndarray
    several_form: np.ndarray

    @classmethod
    def none(cls, queries: int) -> "Matches":
        """Nothing found yet."""
        nothing = np.full(queries, np.array((np.nan, -1, -1, -1, -1), FOUND))
        return cls(nothing, np.empty(0, np.int64), np.empty(0, np.int32))

    @property
    def form(self) -> np.ndarray:
        """The title form of each query (int32, -1 = no match)."""
        return self.found["form"]

    @property
    def film(self) -> np.ndarray:
        """The film of each query (int32, -1 = no match)."""
        return self.found["film"]

    def put(self, query: np.ndarray, form: np.ndarray, titles: Titles) -> None:
        """Fill in the title form of some queries, and what it says."""
        self.found["form"][query] = form
        self.found["film"][query] = titles.film[form]
        self.found["year"][query] = titles.year[form]

    def put_scores(self, query: np.ndarray, method: np.ndarray | int, score: np.ndarray | float) -> None:
        """Fill in how well, and how, some queries were found."""
        self.found["method"][query] = method
        self.found["score"][query] = score

    def columns(self, titles: Titles) -> dict[str, pa.Array]:
        """Return the columns imdb_id, matched_title, matched_year, match_method, match_score; null where nothing was found."""
        none, year = self.form < 0, self.found["year"]
        return {
            "imdb_id": titles.imdb_id.take(pa.array(self.film, mask=none)),
            "matched_title": titles.title.take(pa.array(self.form, mask=none)),
            "matched_year": pa.array(year, mask=year < 0),
            "match_method": METHOD_NAMES.take(pa.array(self.found["method"], mask=none)),
            "match_score": pa.array(self.found["score"], mask=none),
        }


class Memory:
    """What was found for queries before, up to a fixed number of them.

    They are told apart by 63 bits of a hash whose multipliers are random, so that nobody can make two that collide; by
    chance they do once in a billion batches.
    """

    SIZE = 2**17  # queries; 12 MB

    def __init__(self) -> None:
        self._multipliers = np.random.default_rng().integers(0, 2**63, 66, np.uint64) * np.uint64(2) + np.uint64(1)
        self._places = HashPlaces(self.SIZE)
        self._found = np.zeros(len(self._places), FOUND)
        self._several = np.zeros((len(self._places), 2), np.int64)  # where in several_form an ambiguous query's are
        self._several_form = np.empty(0, np.int32)

    def hashes(self, title: pa.StringArray, year: np.ndarray) -> np.ndarray:
        """Return what each query is remembered by; all without a title are one."""
        hashes = text_hashes(title, year, self._multipliers)
        if title.null_count:
            hashes[~booleans_of(title.is_valid())] = 0
        return hashes | np.uint64(1)

    def places(self, hashes: np.ndarray) -> np.ndarray:
        """Return the place of each query, -1 where it was not asked before."""
        return self._places.find(hashes)

    def has_room(self, queries: int) -> bool:
        """Whether so many new queries can be remembered."""
        return self._places.used + queries <= self.SIZE

    def add(self, hashes: np.ndarray, matches: Matches) -> None:
        """Remember what was found for new queries."""
        place = self._places.add(hashes)
        self._found[place] = matches.found
        if len(matches.several_query):
            end = len(self._several_form) + np.cumsum(np.bincount(matches.several_query, minlength=len(hashes)))
            self._several[place, 1] = end
            self._several[place[0], 0], self._several[place[1:], 0] = len(self._several_form), end[:-1]
            self._several_form = np.concatenate([self._several_form, matches.several_form])

    def recall(self, places: np.ndarray) -> Matches:
        """Return what was found for queries that are remembered."""
        found = self._found.take(places)
        query, form = np.empty(0, np.int64), np.empty(0, np.int32)
        if len(self._several_form):
            ambiguous = np.flatnonzero(found["method"] == AMBIGUOUS)
            number, place = spread(*self._several[places[ambiguous]].T)
            query, form = ambiguous[number], self._several_form[place]
        return Matches(found, query, form)
