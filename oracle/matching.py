"""From titles and years to films: titles as the store has them at once in columns, all others one by one."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.choice import AMBIGUOUS, EXACT, Candidates, Choice
from oracle.forms import read_titles
from oracle.hash_index import folded, spread, text_hashes
from oracle.matches import Matches, Memory
from oracle.normalise import normalise
from oracle.search import search
from oracle.titles import Titles, booleans_of

__all__ = ["Matcher", "Matches", "normalise"]


class Matcher:
    """Finds films by title and year among the titles of one store.

    What was found is remembered, up to a bound. That changes no answer: each query is answered by itself.
    """

    def __init__(self, titles: Titles) -> None:
        self.titles = titles
        self._memory = Memory()

    def match(self, title: pa.StringArray, year: np.ndarray) -> Matches:
        """Find the best film for each title and year (int16, -1 = not given)."""
        if len(title) > Memory.SIZE:
            return self._find(title, year)
        hashes = self._memory.hashes(title, year)
        places = self._memory.places(hashes)
        new = np.flatnonzero(places < 0)
        if len(new):
            distinct, first = np.unique(hashes[new], return_index=True)
            if not self._memory.has_room(len(distinct)):
                self._memory = Memory()
                return self.match(title, year)
            rows = new[first]
            self._memory.add(distinct, self._find(title.take(pa.array(rows)), year[rows]))
            places[new] = self._memory.places(hashes[new])
        return self._memory.recall(places)

    def _find(self, title: pa.StringArray, year: np.ndarray) -> Matches:
        matches = Matches.none(len(title))
        if len(self.titles.title) == 0 or title.null_count == len(title):
            return matches
        form = self._own_titles(title, year)
        own = np.flatnonzero(form >= 0)
        matches.put(own, form[own], self.titles)
        matches.put_scores(own, EXACT, 1.0)
        rest = np.flatnonzero((form < 0) & booleans_of(title.is_valid()))
        choice = self._choose(self._same_titles(title.take(pa.array(rest))), year[rest])
        several = self._put(matches, rest, choice.only(choice.settled))
        rest = rest[matches.form[rest] < 0]
        if len(rest):
            queries = read_titles(title.take(pa.array(rest)).to_pylist())
            choice = self._choose(search(self.titles, queries, year[rest].tolist()), year[rest])
            several += self._put(matches, rest, choice)
        if several:
            query, form = (np.concatenate(part) for part in zip(*several, strict=True))
            order = np.argsort(query, kind="stable")
            matches = replace(matches, several_query=query[order], several_form=form[order])
        return matches

    def _choose(self, candidates: Candidates, year: np.ndarray) -> Choice:
        return candidates.judge(year, self.titles).choose(year, self.titles)

    def _put(self, matches: Matches, rows: np.ndarray, choice: Choice) -> list[tuple[np.ndarray, np.ndarray]]:
        """Fill in a choice's matches; return (query, title form) where a title means several films."""
        query = rows[choice.query]
        first = np.diff(query, prepend=-1) > 0
        matches.put(query[first], choice.form[first], self.titles)
        matches.put_scores(query[first], choice.method[first], choice.score[first])
        several = choice.method == AMBIGUOUS
        return [(query[several], choice.form[several])] if several.any() else []

    def _own_titles(self, title: pa.StringArray, year: np.ndarray) -> np.ndarray:
        """Return the title form, -1 for none, that is a film's own title, letter by letter, in this very year.

        No other film can be closer.
        """
        titles, form = self.titles, np.full(len(title), -1, np.int32)
        query, found = titles.exact.find(folded(text_hashes(title, year)))
        same = (titles.year[found] == year[query]) & ~np.isin(titles.key_no[found], titles.aliased)
        query, found = query[same], found[same]
        same = booleans_of(pc.equal(title.take(pa.array(query)), titles.title.take(pa.array(found))))
        form[query[same]] = found[same]
        return form

    def _same_titles(self, title: pa.StringArray) -> Candidates:
        """Return all title forms that are the same when normalised, for titles that some title form has but for case."""
        titles, small = self.titles, pc.ascii_lower(title)
        query, some = titles.same.find(folded(text_hashes(small)))
        known = titles.title.take(pa.array(some))
        same = booleans_of(pc.equal(small.take(pa.array(query)), pc.ascii_lower(known)))
        same = same & ~np.isin(titles.key_no[some], titles.aliased)
        query, some = query[same], some[same]
        key = titles.key_no[some]
        pair, place = spread(titles.group_start[key], titles.group_start[key + 1])
        query, some, form = query[pair], some[pair], titles.group_form[place]
        closeness = np.where(titles.wording_no[form] == titles.wording_no[some], 0.99, 0.97)
        closeness[booleans_of(pc.equal(title.take(pa.array(query)), titles.title.take(pa.array(form))))] = 1.0
        return Candidates(query, form, closeness, np.minimum(titles.word_class[form], titles.word_class[some]))
