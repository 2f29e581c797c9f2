"""From titles and years to films: titles as the store has them at once in columns, all others one by one."""

from dataclasses import replace
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.arrow import booleans_of
from oracle.index import Titles, distinct, first_of_each, query_hashes, spread, text_hashes
from oracle.titles.candidates import search
from oracle.titles.matches import Matches, Memory
from oracle.titles.normalise import normalise
from oracle.titles.ranking import AMBIGUOUS, EXACT, Candidates, Choice
from oracle.titles.rules import SAME_KEY, SAME_TITLE, SAME_WORDS
from oracle.titles.variants import read_titles

__all__ = ["Matcher", "Matches", "normalise"]


class Matcher:
    """Finds films by title and year among the titles of one store.

    What was found is remembered, up to a bound. That changes no answer: each query is answered by itself. Threads may
    share a matcher.
    """

    def __init__(self, titles: Titles) -> None:
        self.titles = titles
        self._memory = Memory()
        self._one_at_a_time = Lock()

    def match(self, title: pa.StringArray, year: np.ndarray) -> Matches:
        """Find the best film for each title and year (int16, -1 = not given)."""
        hashes = query_hashes(title, year, self.titles.multipliers)
        if len(title) > Memory.SIZE:
            return self._find(title, year, hashes)
        with self._one_at_a_time:
            return self._remembered(title, year, hashes)

    def _remembered(self, title: pa.StringArray, year: np.ndarray, hashes: np.ndarray) -> Matches:
        numbers = self._memory.numbers(hashes)
        new = np.flatnonzero(numbers < 0)
        if len(new):
            rows = new.take(distinct(hashes.take(new)))
            if not self._memory.has_room(len(rows)):
                self._memory = Memory()
                return self._remembered(title, year, hashes)
            new_hashes = hashes.take(rows)
            found = self._find(title.take(pa.array(rows)), year.take(rows), new_hashes)
            numbers[rows] = self._memory.add(new_hashes, found)
            if len(rows) < len(new):
                numbers[new] = self._memory.numbers(hashes.take(new))
        return self._memory.recall(numbers)

    def _find(self, title: pa.StringArray, year: np.ndarray, hashes: np.ndarray) -> Matches:
        matches = Matches.none(len(title))
        if len(self.titles.title) == 0 or title.null_count == len(title):
            return matches
        # Films' own titles, letter by letter, in this very year: no other film can be closer.
        own, form = self.titles.exact.find(hashes)
        record = self.titles.forms.take(form)
        if len(self.titles.aliased):
            which = np.flatnonzero(self._not_aliased(record))
            own, form, record = own.take(which), form.take(which), record.take(which)
        matches.put(own, form, record)
        matches.put_scores(own, EXACT, 1.0)
        rest = matches.form < 0
        if title.null_count:
            rest &= booleans_of(title.is_valid())
        rows = np.flatnonzero(rest)
        if len(rows) == 0:
            return matches
        choice = self._closest(title.take(pa.array(rows)), year.take(rows))
        query = rows.take(choice.query)
        first = first_of_each(query)
        matches.put(query[first], choice.form[first], choice.record[first])
        matches.put_scores(query[first], choice.method[first], choice.score[first])
        several = choice.method == AMBIGUOUS
        return replace(matches, several_query=query[several], several_form=choice.form[several])

    def _closest(self, title: pa.StringArray, year: np.ndarray) -> Choice:
        """Choose among the same titles first, and search wider for the queries that these do not settle."""
        same = self._same_titles(title)
        choice = same.scored(year, self.titles.common).choose(year)
        open_ = np.ones(len(title), bool)
        open_[choice.query[choice.settled]] = False
        rows = np.flatnonzero(open_)
        if len(rows) == 0:
            return choice
        known_key = np.full(len(title), -1, np.int32)
        known_key[same.query] = same.record["key_no"]
        queries = read_titles(title.take(pa.array(rows)).to_pylist())
        other = search(self.titles, queries, year[rows].tolist(), known_key[rows])
        if len(other.query) == 0:
            return choice
        other = replace(other, query=rows[other.query])
        again = np.zeros(len(title), bool)
        again[other.query] = True
        wider = same.only(again[same.query]).beside(other).scored(year, self.titles.common).choose(year)
        return choice.only(~again[choice.query]).beside(wider)

    def _same_titles(self, title: pa.StringArray) -> Candidates:
        """Return all title forms that are the same when normalised, for titles that some title form has but for case."""
        titles = self.titles
        query, some = titles.same.find(text_hashes(pc.ascii_lower(title), titles.multipliers))
        record = titles.forms.take(some)
        if len(titles.aliased):
            query, record = (part[self._not_aliased(record)] for part in (query, record))
        key = record["key_no"]
        pair, place = spread(titles.group_start[key], titles.group_start[key + 1])
        query, some_record, form = query[pair], record[pair], titles.group_form[place]
        record = titles.forms.take(form)
        closeness = np.where(record["wording_no"] == some_record["wording_no"], SAME_WORDS, SAME_KEY)
        closeness[booleans_of(pc.equal(title.take(pa.array(query)), titles.title.take(pa.array(form))))] = SAME_TITLE
        length, found_length = pc.utf8_length(title).to_numpy(), pc.utf8_length(titles.title.take(pa.array(form))).to_numpy()
        words = np.minimum(record["word_class"], some_record["word_class"])
        return Candidates(query, form, record, closeness, words, length[query] < found_length)

    def _not_aliased(self, record: np.ndarray) -> np.ndarray:
        """Whether no person confirmed what a title is that is written like these: only the search knows of that."""
        return ~np.isin(record["key_no"], self.titles.aliased)
