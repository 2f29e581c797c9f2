"""The search for titles that are not written as the store has them: found by their keys, compared one by one."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from rapidfuzz import process
from rapidfuzz.distance import DamerauLevenshtein

from oracle.index import Titles
from oracle.titles.ranking import Candidates
from oracle.titles.rules import closeness, slips_allowed
from oracle.titles.variants import Title, half_keys, key_hashes, plain_case, read_titles, word_class

FAR_KINDS = frozenset(("key", "bare"))  # what keys of other kinds bring together counts in the same year only

Probe = tuple[str, str]  # kind, key to look up


def search(titles: Titles, queries: Sequence[Title], years: Sequence[int], known_key: np.ndarray) -> Candidates:
    """Return the titles that are close to a query in any way, but for those of the key_no that is known of it (-1: none)."""
    # A title that is known has no word that is not.
    unknown = _with_unknown_word(titles, queries, np.flatnonzero(known_key < 0).tolist())
    allowed = [
        slips_allowed(len(query.key), number in unknown, year >= 0)
        for number, (query, year) in enumerate(zip(queries, years, strict=True))
    ]
    probes = [
        list(_probes(query, slips, known >= 0))
        for query, slips, known in zip(queries, allowed, known_key.tolist(), strict=True)
    ]
    return _candidates(titles, queries, allowed, _look_up(titles, queries, years, probes, known_key))


def _probes(query: Title, allowed: int, known: bool) -> Iterator[Probe]:
    """Return what a title is looked up by, its own key where that is not `known`; `allowed` slips change its length by as much."""
    if not query.key:
        return
    if not known:
        yield "key", "k" + query.key
    yield "bare", "f" + query.key
    if query.bare != query.words:
        yield "bare", "k" + query.bare.replace(" ", "")
    for key in query.whole_keys:
        yield "short", "s" + key
    for key in query.short_keys().values():
        yield "short", "k" + key
    if " " in query.words:
        yield "start", "l" + query.key
        yield "order", "b" + query.bag
    if allowed:
        for length in range(max(5, len(query.key) - allowed), len(query.key) + allowed + 1):
            for key in half_keys(query.key, length):
                yield "half", key


def _look_up(
    titles: Titles,
    queries: Sequence[Title],
    years: Sequence[int],
    probes: Sequence[Sequence[Probe]],
    known_key: np.ndarray,
) -> tuple[list[int], list[str], np.ndarray]:
    """Return (query, kind of probe, title) of all that the probes and the aliases find."""
    owner = np.array([number for number, mine in enumerate(probes) for _ in mine], np.int64)
    kinds = [kind for mine in probes for kind, _ in mine]
    position, title_no = titles.keys.find(key_hashes([key for mine in probes for _, key in mine]))
    record, query = titles.records.take(title_no), owner[position]
    year = np.asarray(years, np.int16)[query]
    far = np.array([kind in FAR_KINDS for kind in kinds], bool)[position]
    counts = (far | (year < 0) | (year == record["year"])) & (record["key_no"] != known_key[query])
    aliased = [
        (number, titles.aliases[query.key, year])
        for number, (query, year) in enumerate(zip(queries, years, strict=True))
        if (query.key, year) in titles.aliases
    ]
    return (
        query[counts].tolist() + [number for number, _ in aliased],
        [kinds[number] for number in position[counts].tolist()] + ["alias"] * len(aliased),
        np.concatenate([title_no[counts], np.array([title for _, title in aliased], np.int32)]),
    )


def _candidates(
    titles: Titles,
    queries: Sequence[Title],
    allowed: Sequence[int],
    found: tuple[list[int], list[str], np.ndarray],
) -> Candidates:
    """Return those of the titles that `_look_up` found that are close to the query."""
    query, kind, title_no = found
    if not query:
        return Candidates.none()
    distinct, place = np.unique(title_no, return_inverse=True)
    texts = read_titles(titles.title.take(pa.array(distinct)).to_pylist())
    other = [texts[number] for number in place.tolist()]
    slips = _count_slips(
        [(queries[q].key, f.key) if k == "half" else None for q, k, f in zip(query, kind, other, strict=True)]
    )
    closest: dict[tuple[int, int], tuple[float, int, bool, bool]] = {}
    for q, k, t, f, count in zip(query, kind, title_no.tolist(), other, slips, strict=True):
        asked = queries[q]
        close = closeness(k, asked, f, count, allowed[q])
        if close > closest.get((q, t), (0.0,))[0]:
            shorter = f.words if len(f.words) < len(asked.words) else asked.words
            same = plain_case(asked.text) == plain_case(f.text)
            closest[q, t] = close, word_class(shorter), len(asked.text) < len(f.text), same
    title_nos = np.array([t for _, t in closest], np.int32)
    found_out = list(closest.values())
    return Candidates(
        query=np.array([q for q, _ in closest], np.int64),
        title_no=title_nos,
        record=titles.records.take(title_nos),
        closeness=np.array([each[0] for each in found_out], np.float64),
        word_class=np.array([each[1] for each in found_out], np.int8),
        leaves_out=np.array([each[2] for each in found_out], np.bool_),
        same_but_case=np.array([each[3] for each in found_out], np.bool_),
    )


def _with_unknown_word(titles: Titles, queries: Sequence[Title], numbers: Sequence[int]) -> set[int]:
    """Return which of the queries of these numbers have a word that no title has."""
    if not numbers:
        return set()
    words = [(number, word) for number in numbers for word in queries[number].words.split(" ")]
    hashes = key_hashes([word for _, word in words])
    place = np.searchsorted(titles.known_words, hashes)
    known = titles.known_words.take(place, mode="clip") == hashes
    return {words[number][0] for number in np.flatnonzero(~known).tolist()}


def _count_slips(pairs: Sequence[tuple[str, str] | None]) -> list[int]:
    """Count the letters left out, put in, changed or swapped in each pair of keys."""
    slips = [0] * len(pairs)
    numbers = [number for number, pair in enumerate(pairs) if pair]
    one, other = ([pair[side] for pair in pairs if pair] for side in (0, 1))
    for number, count in zip(
        numbers, process.cpdist(one, other, scorer=DamerauLevenshtein.distance).tolist(), strict=True
    ):
        slips[number] = int(count)
    return slips
