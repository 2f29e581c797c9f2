"""From titles and years to films: titles as the store has them at once in columns, all others one by one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from threading import Lock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.arrow import booleans_of
from oracle.index import (
    Titles,
    UniqueHashes,
    distinct,
    first_of_each,
    imdb_ids,
    query_hashes,
    spread,
    text_hashes,
)
from oracle.titles.candidates import search
from oracle.titles.matches import Matches, Memory
from oracle.titles.normalise import constant, normalise
from oracle.titles.ranking import AMBIGUOUS, BY_ID, EXACT, Candidates, Choice
from oracle.titles.rules import SAME_KEY, SAME_TITLE, SAME_WORDS
from oracle.titles.variants import Title, read_titles

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

    def match(self, title: pa.StringArray, year: np.ndarray, given_id: pa.StringArray | None = None) -> Matches:
        """Find the best film for each title and year (int16, -1 = not given).

        A given id (null = none) comes before the title where the store has a film of it.
        """
        hashes = query_hashes(title, year, self.titles.multipliers)
        if len(title) > Memory.SIZE:
            matches = self._find(title, year, hashes)
        else:
            with self._one_at_a_time:
                matches = self._remembered(title, year, hashes)
        return matches if given_id is None else self._put_ids(matches, given_id)

    @cached_property
    def _first_title(self) -> UniqueHashes:
        """The first title of each film, by its id."""
        titles = self.titles
        title_nos = np.flatnonzero(first_of_each(titles.records["film"])).astype(np.int32)
        ids = imdb_ids(titles.records["of_film"][title_nos], titles.long_ids)
        return UniqueHashes.build(text_hashes(ids, titles.multipliers), title_nos)

    def _put_ids(self, matches: Matches, ids: pa.StringArray) -> Matches:
        """Put the films of these ids (null = none) in place of what was found."""
        if len(self.titles.title) == 0:
            return matches
        some = np.flatnonzero(booleans_of(ids.is_valid()))
        position, title_no = self._first_title.find(text_hashes(ids.take(pa.array(some)), self.titles.multipliers))
        query = some[position]
        matches.put(query, title_no, self.titles.records.take(title_no))
        matches.put_scores(query, BY_ID, 1.0)
        others = ~np.isin(matches.several_query, query)
        return replace(
            matches, several_query=matches.several_query[others], several_title_no=matches.several_title_no[others]
        )

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
        # Films' own titles, letter by letter, in this very year, which no other film has: none can be closer.
        own, title_no = self.titles.exact.find(hashes)
        record = self.titles.records.take(title_no)
        if len(self.titles.decided):
            which = np.flatnonzero(self._undecided(record))
            own, title_no, record = own.take(which), title_no.take(which), record.take(which)
        matches.put(own, title_no, record)
        matches.put_scores(own, EXACT, 1.0)
        rest = matches.title_no < 0
        if title.null_count:
            rest &= booleans_of(title.is_valid())
        rows = np.flatnonzero(rest)
        if len(rows) == 0:
            return matches
        choice = self._closest(title.take(pa.array(rows)), year.take(rows))
        query = rows.take(choice.query)
        first = first_of_each(query)
        matches.put(query[first], choice.title_no[first], choice.record[first])
        matches.put_scores(query[first], choice.method[first], choice.score[first])
        several = choice.method == AMBIGUOUS
        matches = replace(matches, several_query=query[several], several_title_no=choice.title_no[several])
        ids = pc.struct_field(pc.extract_regex(title, constant("id_as_title")), "id")
        return self._put_ids(matches, ids) if len(ids) > ids.null_count else matches

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
        choice = choice.only(~again[choice.query]).beside(wider)
        return self._without_refused(choice, rows, queries, year) if self.titles.refused else choice

    def _without_refused(self, choice: Choice, rows: np.ndarray, queries: Sequence[Title], year: np.ndarray) -> Choice:
        """Nothing for a title of which a person said that it does not mean the film, or one of several, that it fits."""
        asked = zip(rows.tolist(), queries, year[rows].tolist(), strict=True)
        refused = {
            row: film for row, title, y in asked if (film := self.titles.refused.get((title.key, y))) is not None
        }
        of_these = choice.only(np.isin(choice.query, list(refused)))
        taken = zip(of_these.query.tolist(), of_these.record["film"].tolist(), strict=True)
        wrong = [query for query, film in taken if refused[query] in (-1, film)]
        return choice.only(~np.isin(choice.query, wrong))

    def _same_titles(self, title: pa.StringArray) -> Candidates:
        """Return all titles that are the same when normalised, for titles that some title has but for case."""
        titles = self.titles
        query, some = titles.same.find(text_hashes(pc.ascii_lower(title), titles.multipliers))
        record = titles.records.take(some)
        if len(titles.decided):
            query, record = (part[self._undecided(record)] for part in (query, record))
        key = record["key_no"]
        pair, place = spread(titles.group_start[key], titles.group_start[key + 1])
        query, some_record, title_no = query[pair], record[pair], titles.group_title_no[place]
        record = titles.records.take(title_no)
        asked, found = title.take(pa.array(query)), titles.title.take(pa.array(title_no))
        closeness = np.where(record["wording_no"] == some_record["wording_no"], SAME_WORDS, SAME_KEY)
        closeness[booleans_of(pc.equal(asked, found))] = SAME_TITLE
        words = np.minimum(record["word_class"], some_record["word_class"])
        leaves_out = booleans_of(pc.less(pc.utf8_length(asked), pc.utf8_length(found)))
        same_but_case = booleans_of(pc.equal(pc.ascii_lower(asked), pc.ascii_lower(found)))
        return Candidates(query, title_no, record, closeness, words, leaves_out, same_but_case)

    def _undecided(self, record: np.ndarray) -> np.ndarray:
        """Whether no person decided about a title that is written like these: only the search knows of that."""
        return ~np.isin(record["key_no"], self.titles.decided)
