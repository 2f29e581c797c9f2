"""Which lines of an answer are its list, and the entries that they hold (step 5 of oracle.answers.parse)."""

from typing import NamedTuple

from oracle.answers.entry import ADDRESS, INTRODUCTION, SENTENCE_END, Entry, lower_words, read
from oracle.answers.inline import looks_titled, marked_pieces, plain_pieces
from oracle.answers.lines import Line, Lines, sorted_lines
from oracle.answers.structured import from_table


def from_lines(text: str, start: int, end: int, tagged: bool) -> list[Entry]:
    lines = sorted_lines(text, start, end)
    best = _chosen(text, lines, tagged)
    if best and len(lines.bullets) + len(lines.plain) >= 3 * len(lines.numbered) > 0:  # titles like "1. Mai"?
        others = _chosen(text, sorted_lines(text, start, end, numbers=False), tagged)
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


class PlainLine(NamedTuple):
    """`sure`: its entries are films whatever stands around them. `other`: it is neither a film nor a heading."""

    entries: list[Entry]
    sure: bool
    other: bool


def read_plain(line: Line, tagged: bool, edge: bool, alone: bool) -> PlainLine:
    """What a line without a marker says; `edge`: it is the first or the last one, `alone`: there is no other."""
    start, body, content, _, heading = line
    title, year, dated, rest, prose, _ = read(content)
    if pieces := plain_pieces(content, alone=tagged and alone):
        parts = [(body + a, body + b, read(content[a:b])) for a, b in pieces]
        return PlainLine([Entry(a, b, r.title, r.year, True) for a, b, r in parts if r.title], True, False)
    if dated:
        ends = not rest or rest in ",;" or (rest[0] in "-–—:|([/*" and rest != ":")
        sure = rest[-1:] != ":" if tagged else not (talks(title) or (not ends and lower_words(title)))
        film = sure or not rest
    else:
        film = not (heading or rest or prose or (edge and not tagged and closes(content))) and (
            tagged or looks_titled(title)
        )
        sure = tagged
    entries = [Entry(start, body + len(content), title, year, dated)] if film and title else []
    return PlainLine(entries, sure, not film and not rest)


def closes(content: str) -> bool:
    """Whether a line ends as a sentence does; in first or last place it is no film."""
    return content.rstrip("*_\"'”").endswith(SENTENCE_END)


def talks(title: str) -> bool:
    """Whether what stands before a year is a sentence that ends in a title, or speaks to the reader or of films."""
    return bool(INTRODUCTION.search(title) or (ADDRESS.search(title) and lower_words(title) > 1))


def _plain(text: str, lines: list[Line], tagged: bool) -> list[Entry]:
    """Entries of lines without a marker."""
    last = len(lines) - 1
    said = [read_plain(line, tagged, i in (0, last), not last) for i, line in enumerate(lines)]
    found = [(entry, line.sure) for line in said for entry in line.entries]
    if not any(sure for _, sure in found):
        undated = [entry for entry, _ in found if not entry.dated]
        return undated if len(undated) > max(1, sum(line.other for line in said)) else []
    kept: list[Entry] = []
    for entry, sure in found:
        if sure or (kept and len(text[kept[-1].end : entry.start].splitlines()) < 2):  # directly below a film
            kept.append(entry)
    return kept
