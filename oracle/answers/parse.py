"""Films out of a completion: which lines recommend a film, and at which rank. Works from the form of the text alone.

A short pipeline, linear in the length of the text. What each step makes of this answer:

    <think>Saw is too gory.</think> Here are two films:
    1. Coco (2017) - a boy meets his ancestors
    2. Up
       Year: 2009
    Avoid these:
    3. Saw (2004)

1. *Thoughts* (`thoughts`): they do not count; where there are answer tags, only what lies inside them does. Left: all
   behind `</think>`.
2. *Structured answers*: JSON (`structured`), HTML tables (`tables`) and XML fields (`xml`) are read as such. Here is none.
3. *Lines* (`lines`): each line is numbered, bulleted, plain, a row of a table (`tables`) or a field, with its marker
   taken off. Here: a plain one, two numbered ones, a field, a heading and a numbered one.
4. *Sections* (`headings`, `sections`): below a last "Final list:" heading stands the list, if there is one; what stands
   below "Avoid these:" is not recommended. Left: the lines of *Coco* and *Up*.
5. *Decision* (`select`): numbered lines are the list, and all else is talk about it; without any, bullets are; without
   any, plain lines. Deeper indented ones are remarks. Years overrule this: if the numbered lines or bullets carry none,
   but films with a year stand below or above them ("1. Comedy" / "- Airplane! (1980)"), these films are the list; and a
   single "1. Mai (2008)" among many plain lines with years is a title like them.
   - A numbered or bulleted line is an entry unless it is a bare marker, a genre or a sentence. A sentence has no year
     and either speaks to the reader or of films ("What is your favorite movie?"), or is long and mostly in lower case.
   - A plain line with a year is an entry if nothing but a remark follows the year, and no sentence stands before it.
   - A plain line without a year must have capitals on all words but small ones. It must stand directly below a film,
     or most plain lines must look like it. "Sure!" in first or last place is no film.
   - Inside answer tags, a plain line need only be no sentence.
6. *Reading* (`entry`, and `inline` where a line holds several entries): title, year and a given IMDb id of each entry:
   ("Coco", 2017), ("Up", none).
7. *Fields* (`years`): "Year: 2009" belongs to the title above it, and its entry reaches down to it: ("Up", 2009).

Lines and entries that were read are remembered, since a policy writes the same ones again and again; and what is nothing
but a numbered list of titles with years is read in one go (`quick`), to the same end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.answers.entry import Entry
from oracle.answers.quick import quick_list
from oracle.answers.select import from_lines
from oracle.answers.structured import from_json
from oracle.answers.tables import from_html
from oracle.answers.thoughts import without_thoughts
from oracle.answers.xml import from_xml

MAX_RANK = 2**15 - 1  # the rank column is an int16


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One entry of a list. `text[start:end]` is the entry with its marker, and with all fields that were read.

    `year` is None where none is given; `given_id` is the IMDb id ("tt2380307") that is written in the entry, or None.
    Where only an id is written, it is the title too. An entry that the end of the text may have cut off is one with
    `end == len(text.rstrip())`.
    """

    rank: int
    title: str
    year: int | None
    start: int
    end: int
    given_id: str | None = None


def parse_recommendations(text: str, thought_tags: Sequence[str] = ()) -> list[Recommendation]:
    """The films that `text` recommends, ranked 1..n in order of appearance whatever number is printed; of more than 32,767 the
    first ones. Never raises.

    Args:
        thought_tags: further names of tags that enclose thoughts: "plan" for <plan>…</plan> or [plan]…[/plan].
    """
    return [
        Recommendation(rank, title, year, start, end, given_id)
        for rank, (start, end, title, year, _, given_id) in enumerate(_entries(text, thought_tags), 1)
    ]


def parse_batch(texts: list[str], thought_tags: Sequence[str] = ()) -> pa.Table:
    """`parse_recommendations` of every text: one row an entry, ordered by completion (its index in `texts`) and rank.

    Columns: completion int32, rank int16, title string, year int16 (null = none given), start, end int32 (characters),
    given_id string (null = none given).
    """
    lists = [_entries(text, thought_tags) for text in texts]
    entries = [entry for films in lists for entry in films]
    start, end, title, year, _, given_id = zip(*entries, strict=True) if entries else [()] * 6
    return pa.table(
        {
            "completion": pa.array(np.repeat(np.arange(len(lists), dtype=np.int32), [len(films) for films in lists])),
            "rank": pa.array([rank for films in lists for rank in range(1, len(films) + 1)], pa.int16()),
            "title": pa.array(title, pa.string()),
            "year": pa.array(year, pa.int16()),
            "start": pa.array(start, pa.int32()),
            "end": pa.array(end, pa.int32()),
            "given_id": pa.array(given_id, pa.string()),
        }
    )


def entry_spans(texts: list[str], thought_tags: Sequence[str] = ()) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Completion, start and end of each entry, as in `parse_batch`, for those who need no titles; (n,) int64."""
    spans = [(i, entry.start, entry.end) for i, text in enumerate(texts) for entry in _entries(text, thought_tags)]
    completion, start, end = np.array(spans, dtype=np.int64).reshape(-1, 3).T
    return completion, start, end


def _entries(text: str, thought_tags: Sequence[str] = ()) -> list[Entry]:
    stretches, tagged = without_thoughts(text, thought_tags)
    if not tagged and stretches == [(0, len(text))] and (films := quick_list(text)) is not None:
        return films[:MAX_RANK]
    found: list[Entry] = []
    for start, end in stretches:
        found += _of_region(text, start, end, tagged)
    return found[:MAX_RANK]


def _of_region(text: str, start: int, end: int, tagged: bool) -> list[Entry]:
    films, sure = from_json(text, start, end)
    if sure:
        return films
    lines = from_html(text, start, end) or from_xml(text, start, end) or from_lines(text, start, end, tagged)
    return lines if len(lines) >= len(films) else films
