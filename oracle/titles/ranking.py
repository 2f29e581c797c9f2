"""Which of the title forms that are close to a query it means: the years, scores and ranks of `sql/titles/resolve.sql`."""

from dataclasses import dataclass

import numpy as np

from oracle.index import FORM, first_of_each
from oracle.titles.rules import BARE, CONFIRMED, SAME_KEY, SAME_TITLE, SAME_WORDS, SHORTER

METHODS = ("alias", "exact", "normalised", "alternative", "subtitle", "fuzzy", "ambiguous")
ALIAS, EXACT, NORMALISED, ALTERNATIVE, SUBTITLE, FUZZY, AMBIGUOUS = range(len(METHODS))

ALTERNATIVE_COST = 0.02
YEAR_COST = 0.03
NEAR_YEARS = 15


@dataclass(frozen=True)
class Candidates:
    """Title forms that are close to queries, each pair once."""

    query: np.ndarray  # int64: number of the query
    form: np.ndarray  # int32: title form
    record: np.ndarray  # FORM, of the title form
    closeness: np.ndarray  # float64
    word_class: np.ndarray  # int8, of the shorter one of both titles

    @classmethod
    def none(cls) -> "Candidates":
        """No candidates."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, FORM), np.empty(0), np.empty(0, np.int8))

    def only(self, which: np.ndarray) -> "Candidates":
        """Return the candidates that `which` marks."""
        return Candidates(*(part[which] for part in vars(self).values()))

    def beside(self, other: "Candidates") -> "Candidates":
        """Return these candidates and the other ones."""
        return Candidates(*map(np.concatenate, zip(vars(self).values(), vars(other).values(), strict=True)))

    def judge(self, year: np.ndarray, common_classes: np.ndarray) -> "Judged":
        """Judge candidates of queries whose years (int16, -1 = not given) are `year`."""
        close, asked = self.closeness, year[self.query]
        found, primary = self.record["year"], self.record["primary"]
        # A film whose year is not known is as far away as one may be.
        apart = np.where(asked < 0, 0, np.where(found < 0, 2, np.abs(found.astype(np.int64) - asked)))
        common = (self.word_class[:, None] == common_classes).any(axis=1)
        near = (close >= SAME_KEY) & (apart <= NEAR_YEARS)
        contested = several_films(self.query[near], self.record["film"][near], len(year))[self.query]
        confirmed, same_words = close >= CONFIRMED, close >= SAME_WORDS
        one_apart = confirmed | same_words & ~(common & contested) | (close >= SAME_KEY) & ~common
        two_apart = confirmed | same_words & ~common
        method = np.where(close < SAME_TITLE, NORMALISED, EXACT)
        method[~primary] = ALTERNATIVE
        method[close < BARE] = SUBTITLE
        method[close < SHORTER] = FUZZY
        method[confirmed] = ALIAS
        return Judged(
            candidates=self,
            years_apart=apart,
            accepted=(apart == 0) | (apart == 1) & one_apart | (apart == 2) & two_apart,
            score=np.minimum(1.0, close - np.where(primary, 0.0, ALTERNATIVE_COST) - YEAR_COST * apart),
            method=method,
            # The methods are in this order, but for a film's own title: there the words count, not signs and articles.
            tier=np.where((method == EXACT) | (method == NORMALISED), np.where(same_words, EXACT, NORMALISED), method),
        )


@dataclass(frozen=True)
class Judged:
    """Candidates, and what there is to say about each."""

    candidates: Candidates
    years_apart: np.ndarray  # int64
    accepted: np.ndarray  # bool: the years allow it
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
        """Choose among the candidates that the years allow."""
        query, form = self.candidates.query, self.candidates.form
        order = np.lexsort((form, -self.score, self.method != ALIAS, query))
        order = order[self.accepted[order] & ~self._tied(year)[query[order]]]
        yearless = year[query[order]] < 0
        keep = ~yearless & first_of_each(query[order])
        if yearless.any():
            best_tier = np.full(len(year), 127)
            np.minimum.at(best_tier, query[order], self.tier[order])
            eligible = np.flatnonzero(yearless & (self.tier[order] == best_tier[query[order]]))
            of_film = query[order[eligible]] << 32 | self.candidates.record["film"][order[eligible]]
            keep[eligible[np.unique(of_film, return_index=True)[1]]] = True
        order = order[keep]
        films = np.bincount(query[order], minlength=len(year))[query[order]]
        return Choice(
            query=query[order],
            form=form[order],
            record=self.candidates.record[order],
            score=self.score[order] / films,
            method=np.where(films > 1, AMBIGUOUS, self.method[order]),
            # No other way to write a title comes closer than the same words; those not looked for yet give 0.95 at most.
            settled=np.where(year[query[order]] < 0, self.tier[order] <= 1, self.score[order] > BARE + 0.001),
        )


@dataclass(frozen=True)
class Choice:
    """The match of each query that has one; of a query without a year, one for each film that fits, the best one first."""

    query: np.ndarray  # int64, ascending
    form: np.ndarray  # int32
    record: np.ndarray  # FORM, of the title form
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
