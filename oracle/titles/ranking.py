"""Which of the titles that are close to a query it means: the years, scores and ranks of `sql/titles/resolve.sql`."""

from dataclasses import dataclass

import numpy as np

from oracle.index import TITLE, first_of_each
from oracle.titles.rules import (
    ALTERNATIVE_COST,
    BARE,
    CONTESTED_YEARS,
    FIRST_WORDS,
    MOST_YEARS_APART,
    SAME_KEY,
    SAME_TITLE,
    SAME_WORDS,
    SHORTER,
    TELLING_WORDS,
    YEAR_COST,
)

METHODS = ("alias", "exact", "normalised", "alternative", "subtitle", "fuzzy", "ambiguous", "id")
BY_ALIAS, EXACT, NORMALISED, ALTERNATIVE, SUBTITLE, BY_FUZZY, AMBIGUOUS, BY_ID = range(len(METHODS))


@dataclass(frozen=True)
class Candidates:
    """Titles that are close to queries, each pair once."""

    query: np.ndarray  # int64: number of the query
    title_no: np.ndarray  # int32: number of the title
    record: np.ndarray  # TITLE, of the title
    closeness: np.ndarray  # float64
    word_class: np.ndarray  # int8, of the shorter one of both titles
    leaves_out: np.ndarray  # bool: the title asked for is shorter, as written
    same_but_case: np.ndarray  # bool: the titles have the same letters and signs, in large or small (of ASCII)

    @classmethod
    def none(cls) -> "Candidates":
        """No candidates."""
        none = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, TITLE)
        return cls(*none, np.empty(0), np.empty(0, np.int8), np.empty(0, np.bool_), np.empty(0, np.bool_))

    def only(self, which: np.ndarray) -> "Candidates":
        """Return the candidates that `which` marks."""
        return Candidates(*(part[which] for part in vars(self).values()))

    def beside(self, other: "Candidates") -> "Candidates":
        """Return these candidates and the other ones."""
        return Candidates(*map(np.concatenate, zip(vars(self).values(), vars(other).values(), strict=True)))

    def scored(self, year: np.ndarray, common_classes: np.ndarray) -> "ScoredCandidates":
        """Score candidates of queries whose years (int16, -1 = not given) are `year`: SQL's `scored_pairs`."""
        close, asked, words = self.closeness, year[self.query], self.word_class
        found, primary, yearless = self.record["year"], self.record["primary"], year[self.query] < 0
        # A film whose year is not known is as far away as one may be.
        far = np.where(found < 0, MOST_YEARS_APART, np.abs(found.astype(np.int64) - asked))
        apart = np.where(yearless, 0, far)
        common = (words[:, None] == common_classes).any(axis=1)
        near = (close >= SAME_KEY) & (apart <= CONTESTED_YEARS)
        contested = common & several_films(self.query[near], self.record["film"][near], len(year))[self.query]
        method = np.where(close < SAME_TITLE, NORMALISED, EXACT)
        method[~primary] = ALTERNATIVE
        method[close < BARE] = SUBTITLE
        method[close < SHORTER] = BY_FUZZY
        method[close > SAME_TITLE] = BY_ALIAS
        # The methods are in the order of tiers, but that the same words come before the same key.
        tier = np.where(method == BY_ALIAS, 0, np.where(method == EXACT, 1, method + 1))
        tier[(method == NORMALISED) & (close >= SAME_WORDS)] = 2
        exact = np.zeros(len(year), bool)
        exact[self.query[method == EXACT]] = True
        article_apart = (words == 1) & self.leaves_out & (close >= SAME_KEY) & (close < SAME_WORDS)
        rival = yearless & exact[self.query] & (self.same_but_case & primary | article_apart)
        tier[rival & (method != BY_ALIAS)] = 1
        return ScoredCandidates(
            candidates=self,
            accepted=np.where(yearless, self._title_allows() | rival, self._year_allows(apart, common, contested)),
            certain=~yearless | (close >= SAME_TITLE) | (words >= TELLING_WORDS) & (close >= SAME_KEY),
            score=np.minimum(1.0, close - np.where(primary, 0.0, ALTERNATIVE_COST) - YEAR_COST * apart),
            method=method,
            tier=tier,
        )

    def _year_allows(self, apart: np.ndarray, common: np.ndarray, contested: np.ndarray) -> np.ndarray:
        """Whether titles are close enough for years so far apart: SQL's `year_allows`."""
        close = self.closeness
        one_apart = (close > SAME_TITLE) | (close >= SAME_WORDS) & ~contested | (close >= SAME_KEY) & ~common
        further = (close > SAME_TITLE) | (close >= SAME_WORDS) & ~common
        return (apart == 0) | (apart == 1) & one_apart | (apart > 1) & (apart <= MOST_YEARS_APART) & further

    def _title_allows(self) -> np.ndarray:
        """Whether titles are close enough where no year is given: SQL's `title_allows`."""
        close, tells = self.closeness, self.word_class >= TELLING_WORDS
        enough = tells & ((close >= SAME_KEY) | (close >= SHORTER) & self.leaves_out)
        but_article = (self.word_class > 1) & (close >= SAME_KEY) & self.leaves_out
        return (close >= SAME_WORDS) | enough | but_article | (close == FIRST_WORDS)


@dataclass(frozen=True)
class ScoredCandidates:
    """Candidates, and what there is to say about each."""

    candidates: Candidates
    accepted: np.ndarray  # bool: the years allow it, or without a year the title
    certain: np.ndarray  # bool: without a year: no film that the store lacks is likely to be meant
    score: np.ndarray  # float64 in 0..1
    method: np.ndarray  # int64: position in METHODS
    tier: np.ndarray  # int64: what a title without a year is looked for among, lowest first

    def _tied(self, year: np.ndarray) -> np.ndarray:
        """Whether several films of the year are equally close to a query that is the title of none of them."""
        query, close, best = self.candidates.query, self.candidates.closeness, np.zeros(len(year))
        if (close >= BARE).all():
            return np.zeros(len(year), bool)
        np.maximum.at(best, query[self.accepted], self.score[self.accepted])
        rivals = self.accepted & (self.score == best[query]) & (close < BARE) & (year[query] >= 0)
        return several_films(query[rivals], self.candidates.record["film"][rivals], len(year))

    def choose(self, year: np.ndarray) -> "Choice":
        """Choose among the candidates that are accepted: SQL's `best_pairs`."""
        query, title_no = self.candidates.query, self.candidates.title_no
        order = np.lexsort((title_no, -self.score, self.method != BY_ALIAS, query))
        order = order[self.accepted[order] & ~self._tied(year)[query[order]]]
        first = first_of_each(query[order])
        best_tier = np.full(len(year), 127)
        np.minimum.at(best_tier, query[order], self.tier[order])
        nearest = order[first][np.cumsum(first) - 1]  # of the same query
        as_near = (self.score[order] == self.score[nearest]) & (
            (self.method[order] == BY_ALIAS) == (self.method[nearest] == BY_ALIAS)
        )
        fits = np.flatnonzero(np.where(year[query[order]] < 0, self.tier[order] == best_tier[query[order]], as_near))
        of_film = query[order[fits]] << 32 | self.candidates.record["film"][order[fits]]
        order = order[np.sort(fits[np.unique(of_film, return_index=True)[1]])]
        films = np.bincount(query[order], minlength=len(year))
        first = order[first_of_each(query[order])]
        films[query[first]] += ~self.certain[first]
        films = films[query[order]]
        return Choice(
            query=query[order],
            title_no=title_no[order],
            record=self.candidates.record[order],
            score=self.score[order] / films,
            method=np.where(films > 1, AMBIGUOUS, self.method[order]),
            # No other way to write a title comes closer than the same words; those not looked for yet give 0.95 at most.
            settled=np.where(year[query[order]] < 0, self.tier[order] <= 2, self.score[order] > BARE + 0.001),
        )


@dataclass(frozen=True)
class Choice:
    """The match of each query that has one; where several films fit, one for each of them, the best one first."""

    query: np.ndarray  # int64, ascending
    title_no: np.ndarray  # int32
    record: np.ndarray  # TITLE, of the title
    score: np.ndarray  # float64, shared among the films that fit
    method: np.ndarray  # int64: position in METHODS
    settled: np.ndarray  # bool: a wider search would find nothing else

    def only(self, which: np.ndarray) -> "Choice":
        """Return the matches that `which` marks."""
        return Choice(*(part[which] for part in vars(self).values()))

    def beside(self, other: "Choice") -> "Choice":
        """Return the matches of these queries and of other ones."""
        both = Choice(*map(np.concatenate, zip(vars(self).values(), vars(other).values(), strict=True)))
        return both.only(np.argsort(both.query, kind="stable"))


def several_films(query: np.ndarray, film: np.ndarray, queries: int) -> np.ndarray:
    """Whether each query has more than one film among (query, film) pairs."""
    some_film, several = np.zeros(queries, film.dtype), np.zeros(queries, bool)
    some_film[query] = film
    several[query[some_film[query] != film]] = True
    return several
