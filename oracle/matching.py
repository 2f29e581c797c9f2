"""From titles and years to films: titles as the store has them at once in columns, all others one by one."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.choice import AMBIGUOUS, EXACT, METHODS, Candidates, Choice
from oracle.forms import read_titles
from oracle.hash_index import text_hashes
from oracle.normalise import normalise
from oracle.search import any_way, same_words
from oracle.titles import Titles

__all__ = ["Matcher", "Matches", "normalise"]

REMEMBERED = 50_000  # searches; about 15 MB

Query = tuple[str, int]  # title, year or -1
Found = tuple[tuple[int, int, float], ...]  # title form, method, score: of the match, or of each film that fits


@dataclass(frozen=True)
class Matches:
    """What was found for each query, in order."""

    form: np.ndarray  # int32: title form, -1 = no match
    method: np.ndarray  # int8: position in METHODS, -1 = no match
    score: np.ndarray  # float64 in 0..1, nan = no match
    # Of queries without a year whose title several films have: query (ascending) and each title form, the best one first.
    several_query: np.ndarray
    several_form: np.ndarray

    def columns(self, titles: Titles) -> dict[str, pa.Array]:
        """Return the columns imdb_id, matched_title, matched_year, match_method, match_score; null where nothing was found."""
        none = self.form < 0
        form = np.where(none, 0, self.form)
        film, year = (numbers[form] if len(numbers) else form for numbers in (titles.film, titles.year))
        return {
            "imdb_id": titles.imdb_id.take(pa.array(film, mask=none)),
            "matched_title": titles.title.take(pa.array(form, mask=none)),
            "matched_year": pa.array(year.astype(np.int16, copy=False), mask=none | (year < 0)),
            "match_method": pa.array(METHODS).take(pa.array(self.method, mask=none)),
            "match_score": pa.array(self.score, mask=none),
        }


class Matcher:
    """Finds films by title and year among the titles of one store.

    What a search gave is remembered, up to a bound. That changes no answer: each query is answered by itself.
    """

    def __init__(self, titles: Titles) -> None:
        self.titles = titles
        self._remembered: dict[Query, Found] = {}

    def match(self, title: pa.StringArray, year: np.ndarray) -> Matches:
        """Find the best film for each title and year (int16, -1 = not given)."""
        matches = Matches(
            form=np.full(len(title), -1, np.int32),
            method=np.full(len(title), -1, np.int8),
            score=np.full(len(title), np.nan),
            several_query=np.empty(0, np.int64),
            several_form=np.empty(0, np.int32),
        )
        if len(self.titles.title) == 0 or title.null_count == len(title):
            return matches
        form = self._own_titles(title, year)
        own = form >= 0
        matches.form[own], matches.method[own], matches.score[own] = form[own], EXACT, 1.0
        rest = np.flatnonzero(~own & title.is_valid().to_numpy(zero_copy_only=False))
        if len(rest) == 0:
            return matches
        return self._fill_in(matches, title, year, rest)

    def _fill_in(self, matches: Matches, title: pa.StringArray, year: np.ndarray, rest: np.ndarray) -> Matches:
        """Fill in the matches of the queries `rest`, which are nobody's own title in that year."""
        wanted = title.take(pa.array(rest))
        choice = self._choose(self._same_titles(wanted), year[rest])
        several = _put(matches, rest, choice, choice.settled)
        rest = rest[matches.form[rest] < 0]
        queries = list(zip(title.take(pa.array(rest)).to_pylist(), year[rest].tolist(), strict=True))
        found = self._searched(queries)
        for row, query in zip(rest.tolist(), queries, strict=True):
            films = found[query]
            if films:
                matches.form[row], matches.method[row], matches.score[row] = films[0]
            if len(films) > 1:
                several.append((np.full(len(films), row), np.array([form for form, _, _ in films], np.int32)))
        if not several:
            return matches
        query, form = (np.concatenate(part) for part in zip(*several, strict=True))
        order = np.argsort(query, kind="stable")
        return Matches(matches.form, matches.method, matches.score, query[order], form[order])

    def _own_titles(self, title: pa.StringArray, year: np.ndarray) -> np.ndarray:
        """Return the title form, -1 for none, that is a film's own title, letter by letter, in this very year.

        No other film can be closer.
        """
        titles, form = self.titles, np.full(len(title), -1, np.int32)
        query, found = titles.exact.find(text_hashes(title, year))
        same = (titles.year[found] == year[query]) & ~np.isin(titles.key_no[found], titles.aliased)
        query, found = query[same], found[same]
        same = pc.equal(title.take(pa.array(query)), titles.title.take(pa.array(found))).fill_null(False)
        same = same.to_numpy(zero_copy_only=False)
        form[query[same]] = found[same]
        return form

    def _same_titles(self, title: pa.StringArray) -> Candidates:
        """Return all title forms that are the same when normalised, for titles that some title form has but for case."""
        titles, small = self.titles, pc.ascii_lower(title)
        query, some = titles.same.find(text_hashes(small))
        known = titles.title.take(pa.array(some))
        same = pc.equal(small.take(pa.array(query)), pc.ascii_lower(known)).to_numpy(zero_copy_only=False)
        same &= ~np.isin(titles.key_no[some], titles.aliased)
        query, some = query[same], some[same]
        key = titles.key_no[some]
        count = titles.group_start[key + 1] - titles.group_start[key]
        pair = np.repeat(np.arange(len(query)), count)
        place = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
        form = titles.group_form[titles.group_start[key][pair] + place]
        query, some = query[pair], some[pair]
        closeness = np.where(titles.wording_no[form] == titles.wording_no[some], 0.99, 0.97)
        closeness[pc.equal(title.take(pa.array(query)), titles.title.take(pa.array(form))).to_numpy(zero_copy_only=False)] = 1.0
        return Candidates(query, form, closeness, np.minimum(titles.word_class[form], titles.word_class[some]))

    def _searched(self, queries: list[Query]) -> dict[Query, Found]:
        """Return what a search gives for each query, by search or from memory."""
        found = {query: self._remembered[query] for query in queries if query in self._remembered}
        new = [query for query in dict.fromkeys(queries) if query not in found]
        if new:
            matches = dict(zip(new, self._search(new), strict=True))
            found |= matches
            if len(self._remembered) + len(matches) > REMEMBERED:
                self._remembered.clear()
            if len(matches) <= REMEMBERED:
                self._remembered |= matches
        return found

    def _search(self, queries: list[Query]) -> list[Found]:
        texts, years = read_titles([text for text, _ in queries]), np.array([year for _, year in queries], np.int16)
        found: list[Found] = [()] * len(queries)
        rest = np.arange(len(queries))
        for searcher in (same_words, any_way):
            choice = self._choose(searcher(self.titles, [texts[number] for number in rest], years[rest].tolist()), years[rest])
            last = searcher is any_way
            rows = zip(choice.query, choice.form.tolist(), choice.method.tolist(), choice.score.tolist(), choice.settled, strict=True)
            for query, form, method, score, settled in rows:
                if settled or last:
                    found[rest[query]] += ((form, method, score),)
            rest = np.array([number for number in rest if not found[number]], np.int64)
        return found

    def _choose(self, candidates: Candidates, year: np.ndarray) -> Choice:
        return candidates.judge(year, self.titles).choose(year, self.titles)


def _put(matches: Matches, rows: np.ndarray, choice: Choice, which: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fill in those of a choice's matches that `which` marks; return (query, title form) where a title means several films."""
    query, form = rows[choice.query[which]], choice.form[which]
    first = np.diff(query, prepend=-1) > 0
    matches.form[query[first]] = form[first]
    matches.method[query[first]] = choice.method[which][first]
    matches.score[query[first]] = choice.score[which][first]
    several = choice.method[which] == AMBIGUOUS
    return [(query[several], form[several])] if several.any() else []
