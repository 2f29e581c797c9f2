"""Films out of a completion: which lines recommend a film, and at which rank. Works from the form of the text alone.

A short pipeline, linear in the length of the text:

1. *Region.* Text inside `<think>` is ignored; where there is a `<solution>` tag, only what lies inside one counts.
2. *Candidates.* JSON and tables are read as such. Otherwise each line is numbered, bulleted or plain.
3. *Splitting* of lines that hold several entries: `oracle.inline`.
4. *Reading* the title and the year of each entry: `oracle.entry`.
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
"""

import re
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from oracle.entry import ADDRESS, INTRODUCTION, SENTENCE_END, Entry, lower_words, read
from oracle.inline import looks_titled, marked_pieces, plain_pieces
from oracle.lines import LATE_START, LINE, MAX_RANK, Film, plain_lists
from oracle.structured import from_json, from_table

TAG = re.compile(r"<(/?)(think|solution)>", re.I)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One entry of a list. `text[start:end]` is the entry with its marker; `year` is None where none is given."""

    rank: int
    title: str
    year: int | None
    start: int
    end: int


class Line(NamedTuple):
    """`start`: where its content starts, marker included; `text`: what stands behind the marker, from `body` on."""

    start: int
    body: int
    text: str
    number: int = 0  # 0: not numbered
    heading: bool = False


def parse_recommendations(text: str) -> list[Recommendation]:
    """The films that `text` recommends, ranked 1..n in order of appearance whatever number is printed. Never raises."""
    _, start, end, films = _films([text])
    return [
        Recommendation(rank, title, year, *span)
        for rank, ((_, title, year), *span) in enumerate(zip(films, start.tolist(), end.tolist(), strict=True), 1)
    ]


def parse_batch(texts: list[str]) -> pa.Table:
    """`parse_recommendations` of every text: one row an entry, ordered by completion (its index in `texts`) and rank.

    Columns: completion int32, rank int16, title string, year int16 (null = none given), start, end int32 (characters).
    """
    completion, start, end, films = _films(texts)
    n_entries = np.bincount(completion, minlength=len(texts))
    return pa.table(
        {
            "completion": completion.astype(np.int32),
            "rank": (np.arange(len(films)) - (n_entries.cumsum() - n_entries)[completion] + 1).astype(np.int16),
            "title": pa.array([title for _, title, _ in films], pa.string()),
            "year": pa.array([year for _, _, year in films], pa.int16()),
            "start": start.astype(np.int32),
            "end": end.astype(np.int32),
        }
    )


def entry_spans(texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Completion, start and end of each entry, as in `parse_batch`, for those who need no titles; (n,) int64."""
    return _films(texts)[:3]


def _films(texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Film]]:
    """Completion, start, end and film of each entry."""
    plain, answers, plain_starts = plain_lists(texts)
    other_starts: list[int] = []
    for i in np.flatnonzero(~plain):
        entries = _entries(texts[i])[:MAX_RANK]
        answers[i] = [(e.end - e.start, e.title, e.year) for e in entries]
        other_starts += [e.start for e in entries]
    films = [*chain.from_iterable(answers)]
    completion = np.repeat(np.arange(len(texts)), [len(answer) for answer in answers])
    start = np.empty(len(films), dtype=np.int64)
    in_plain = plain[completion]
    start[in_plain], start[~in_plain] = plain_starts, other_starts
    return completion, start, start + np.fromiter(map(itemgetter(0), films), np.int64, len(films)), films


def _entries(text: str) -> list[Entry]:
    regions, tagged = _regions(text)
    found: list[Entry] = []
    for start, end in regions:
        found += from_json(text, start, end) or _from_lines(text, start, end, tagged)
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


class Lines(NamedTuple):
    numbered: list[Line]
    bullets: list[Line]
    nested: list[Line]  # numbered or bulleted, but deeper than the first of that kind
    plain: list[Line]
    rows: list[Line]  # of tables


def _from_lines(text: str, start: int, end: int, tagged: bool) -> list[Entry]:
    lines = _sorted_lines(text, start, end)
    best = _chosen(text, lines, tagged)
    if best and len(lines.bullets) + len(lines.plain) >= 3 * len(lines.numbered) > 0:  # titles like "1. Mai"?
        others = _chosen(text, _sorted_lines(text, start, end, numbers=False), tagged)
        if len(others) > 3 * len(best) and all(e.dated for e in others):
            return others
    return best


def _chosen(text: str, lines: Lines, tagged: bool) -> list[Entry]:
    """The entries of the kind of lines that is the list."""
    best = _marked(lines.numbered) or from_table([(r.start, r.body + len(r.text), r.text) for r in lines.rows])
    for group in (lines.bullets, lines.nested):
        entries = _marked(group)
        if not best or _outweighs(entries, best):
            best = entries
    if not best or not lines.numbered:
        entries = _plain(text, lines.plain, tagged)
        if not best or _outweighs(entries, best):
            best = entries
    return best


def _outweighs(entries: list[Entry], best: list[Entry]) -> bool:
    """Whether `entries`, all with years, are the films, and `best`, none with one, headings above or remarks below."""
    return (
        len(entries) > 1
        and (len(entries) > len(best) or entries[0].start < best[0].start)
        and entries[-1].start > best[0].start
        and not any(e.dated for e in best)
        and all(e.dated for e in entries)
    )


def _sorted_lines(text: str, start: int, end: int, numbers: bool = True) -> Lines:
    lines = Lines([], [], [], [], [])
    last = top = inner = 0  # last number, indent of the numbers, and of a list inside of an entry, if any
    bullet_top = -1
    for m in LINE.finditer(text, start, end):
        space, heading, bullet, marker, _, number, unsure, content = m.groups()
        first, body, content = m.start() + len(space), m.end() - len(content), content.rstrip()
        indent = len(space.expandtabs(4)) if space else 0
        count = int(number or 0)
        if unsure or (number and (bullet or not numbers)):
            count = _next_number(unsure or number, last) if numbers else 0
            if not count:  # it is part of the title
                body, content, number = body - len(marker), marker + content, None
        if numbers and not (last or marker or bullet) and (late := LATE_START.search(content)):
            first, body, content, count = body + late.start(1), body + late.end(), content[late.end() :], 1
        if count or number:
            nested = lines.numbered and indent > top + 1
            if nested and (count != last + 1 or 0 < inner <= indent):
                inner = min(inner or indent, indent)
                lines.nested.append(Line(first, body, content, count))
                continue
            inner, top = inner if nested else 0, min(top, indent) if lines.numbered else indent
            last = count
            lines.numbered.append(Line(first, body, content, count))
        elif bullet:
            bullet_top = indent if bullet_top < 0 else bullet_top
            (lines.nested if indent > bullet_top + 1 else lines.bullets).append(Line(first, body, content))
        else:
            kind = lines.rows if content.startswith("|") else lines.plain
            kind.append(Line(first, body, content, 0, bool(heading)))
    return lines


def _next_number(mark: str, last: int) -> int:
    """The number in a marker that may be part of a title ("(500) Days of Summer"); 0 unless it goes on counting."""
    digits = "".join(c for c in mark if c.isdecimal())
    number = int(digits) if digits else ord(mark) - ord("①") + 1
    return number if number in (1, last + 1) else 0


def _marked(lines: list[Line]) -> list[Entry]:
    """Entries of numbered or bulleted lines."""
    found = []
    for start, body, text, number, _ in lines:
        title, year, dated, rest, prose, compound = read(text)
        if compound:
            for begin, content, stop in marked_pieces(text, number):
                part = read(text[content:stop])
                if part.title and not part.prose:
                    found.append(
                        Entry(body + begin if begin else start, body + stop, part.title, part.year, part.dated)
                    )
        elif title and not prose and (number or dated or not rest):  # "- Comedy:" is none
            found.append(Entry(start, body + len(text), title, year, dated))
    return found


def _plain(text: str, lines: list[Line], tagged: bool) -> list[Entry]:
    """Entries of lines without a marker."""
    found: list[tuple[Entry, bool]] = []  # and whether it is sure without its neighbours
    others = 0
    for i, (start, body, content, _, heading) in enumerate(lines):
        title, year, dated, rest, prose, _ = read(content)
        if pieces := plain_pieces(content, alone=tagged and len(lines) == 1):
            parts = [(body + a, body + b, read(content[a:b])) for a, b in pieces]
            found += [(Entry(a, b, r.title, r.year, True), True) for a, b, r in parts if r.title]
            continue
        if dated:
            lower = lower_words(title)
            ends = not rest or rest in ",;" or (rest[0] in "-–—:|([/*" and rest != ":")
            talk = (lower > 1 and ADDRESS.search(title)) or INTRODUCTION.search(title) or (lower and not ends)
            sure = rest[-1:] != ":" if tagged else not talk
            film = sure or not rest
        else:
            edge = not tagged and i in (0, len(lines) - 1) and content.rstrip("*_\"'”").endswith(SENTENCE_END)
            film = not (heading or rest or prose or edge) and (tagged or looks_titled(title))
            sure = tagged
        if film and title:
            found.append((Entry(start, body + len(content), title, year, dated), sure))
        others += not film and not rest
    if not any(sure for _, sure in found):
        undated = [entry for entry, _ in found if not entry.dated]
        return undated if len(undated) > max(1, others) else []
    kept: list[Entry] = []
    for entry, sure in found:
        if sure or (kept and len(text[kept[-1].end : entry.start].splitlines()) < 2):  # directly below a film
            kept.append(entry)
    return kept
