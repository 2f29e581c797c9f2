"""Films out of a completion: which lines recommend a film, and at which rank. Works from the form of the text alone.

A short pipeline, linear in the length of the text:

1. *Region.* Text inside `<think>` is ignored; where there is a `<solution>` tag, only what lies inside one counts.
2. *Candidates.* JSON and tables are read as such. Otherwise each line is numbered, bulleted or plain.
3. *Splitting* of lines that hold several entries: `oracle.answers.inline`.
4. *Reading* the title and the year of each entry: `oracle.answers.entry`.
5. *Decision.* Numbered lines are the list, and all else is talk about it; without any, bullets are; without any, plain
   lines. Deeper indented ones are remarks. Years overrule this: if the numbered lines or bullets carry none, but films
   with a year stand below or above them ("1. Comedy" / "- Airplane! (1980)"), these films are the list; and a single
   "1. Mai (2008)" among many plain lines with years is a title like them.
   - A numbered or bulleted line is an entry unless it is a bare marker or a sentence. A sentence has no year and either
     speaks to the reader or of films ("What is your favorite movie?"), or is long and mostly in lower case.
   - A plain line with a year is an entry if nothing but a remark follows the year, and no sentence stands before it.
   - A plain line without a year must have capitals on all words but small ones. It must stand directly below a film,
     or most plain lines must look like it. "Sure!" in first or last place is no film.
   - Inside `<solution>`, a plain line need only be no sentence.

Lists of one film a line, as nearly all answers are, take a shorter way to the same end: `oracle.answers.simple_lists`.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.answers.entry import Entry
from oracle.answers.select import from_lines
from oracle.answers.simple_lists import MAX_RANK, SimpleLists, simple_lists
from oracle.answers.structured import from_json

TAG = re.compile(r"<(/?)(think|solution)>", re.I)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One entry of a list. `text[start:end]` is the entry with its marker; `year` is None where none is given."""

    rank: int
    title: str
    year: int | None
    start: int
    end: int


def parse_recommendations(text: str) -> list[Recommendation]:
    """The films that `text` recommends, ranked 1..n in order of appearance whatever number is printed. Never raises."""
    films = parse_batch([text]).select(["rank", "title", "year", "start", "end"])
    return [Recommendation(**film) for film in films.to_pylist()]


def parse_batch(texts: list[str]) -> pa.Table:
    """`parse_recommendations` of every text: one row an entry, ordered by completion (its index in `texts`) and rank.

    Columns: completion int32, rank int16, title string, year int16 (null = none given), start, end int32 (characters).
    """
    simple, others, order = _read(texts)
    completion, start, end = _spans(simple, others, order)
    n_entries = np.bincount(completion, minlength=len(texts))
    titles = pa.array([*simple.titles(), *(entry.title for _, entry in others)], pa.string())
    years = np.array([*simple.year.tolist(), *(entry.year or 0 for _, entry in others)], dtype=np.int16)
    return pa.table(
        {
            "completion": completion.astype(np.int32),
            "rank": (np.arange(len(completion)) - (n_entries.cumsum() - n_entries)[completion] + 1).astype(np.int16),
            "title": titles.take(pa.array(order)),
            "year": pa.array(years[order], mask=years[order] == 0),
            "start": start.astype(np.int32),
            "end": end.astype(np.int32),
        }
    )


def entry_spans(texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Completion, start and end of each entry, as in `parse_batch`, for those who need no titles; (n,) int64."""
    return _spans(*_read(texts))


def _read(texts: list[str]) -> tuple[SimpleLists, list[tuple[int, Entry]], np.ndarray]:
    """The entries of simple lists, those of other texts, each with its text, and the order of the two together."""
    simple = simple_lists(texts or [""])  # even no texts, end to end, are a line
    others = [(i, e) for i in np.flatnonzero(~simple.simple).tolist() for e in _entries(texts[i])[:MAX_RANK]]
    completion = np.append(simple.completion, [i for i, _ in others]).astype(np.int64)
    return simple, others, completion.argsort(kind="stable")


def _spans(
    simple: SimpleLists, others: list[tuple[int, Entry]], order: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns = np.stack([simple.completion, simple.start, simple.end])
    more = np.array([(i, entry.start, entry.end) for i, entry in others], dtype=np.int64).reshape(-1, 3)
    completion, start, end = np.concatenate([columns, more.T], axis=1)[:, order]
    return completion, start, end


def _entries(text: str) -> list[Entry]:
    regions, tagged = _regions(text)
    found: list[Entry] = []
    for start, end in regions:
        found += from_json(text, start, end) or from_lines(text, start, end, tagged)
    return found


def _regions(text: str) -> tuple[list[tuple[int, int]], bool]:
    """The stretches of text that count, and whether they are the inside of <solution> tags."""
    if "<" not in text:
        return [(0, len(text))], False
    outside: list[tuple[int, int]] = []
    inside: list[tuple[int, int]] = []
    position, thinking, solving, tagged = 0, False, False, False
    for tag in TAG.finditer(text):
        opens, thought = not tag[1], tag[2].lower() == "think"
        if thinking and (opens or not thought):
            continue
        if not thinking and not (solving and opens and not thought):  # <solution> twice: mentioned, then meant
            (inside if solving else outside).append((position, tag.start()))
        if thought and not opens and not thinking:  # the prompt has opened the block: all so far is thought
            outside, inside, solving, tagged = [], [], False, False
        position = tag.end()
        if thought:
            thinking = opens
        else:
            solving = opens
            tagged = tagged or opens
    if not thinking:
        (inside if solving else outside).append((position, len(text)))
    return (inside if tagged else outside), tagged
