"""Which lines of an answer are its list, and the entries that they hold (the last step of oracle.answers.parse)."""

import re
from typing import NamedTuple

from oracle.answers.entry import ADDRESS, INTRODUCTION, SENTENCE_END, Entry, Reading, lower_words, read
from oracle.answers.headings import recommended_sentences
from oracle.answers.inline import looks_titled, marked_pieces, plain_pieces
from oracle.answers.lines import Line, Lines, Located, located_lines, sorted_lines
from oracle.answers.sections import readings
from oracle.answers.tables import from_columns, from_table
from oracle.answers.years import with_fields, with_years_of_the_list

AVOIDED_REMARK = re.compile(r"\W*(?:avoid|not recommended|skip(?: (?:this|it))?)\s*(?:$|[(:;,.!–—-])", re.I)
LONG_LIST = 10  # of numbered lines: each takes a rank, also one that names a genre, so that no list shrinks by them


def from_lines(text: str, start: int, end: int, tagged: bool) -> list[Entry]:
    """The entries of text that is no JSON; `tagged`: it stands in tags that say that it is the answer."""
    for lines in readings(text, located_lines(text, start, end)):
        if entries := _from_lines(text, lines, tagged):
            return with_years_of_the_list(with_fields(lines, entries))
    return []


def _from_lines(text: str, located: list[Located], tagged: bool) -> list[Entry]:
    if columns := from_columns(text, located):
        return columns
    lines = sorted_lines(located)
    best = _chosen(text, lines, tagged)
    if best and len(lines.bullets) + len(lines.plain) >= 3 * len(lines.numbered) > 0:  # titles like "1. Mai"?
        others = _chosen(text, sorted_lines(located, numbers=False), tagged)
        if len(others) > 3 * len(best) and all(e.dated for e in others):
            return others
    return best


def _chosen(text: str, lines: Lines, tagged: bool) -> list[Entry]:
    """The entries of the kind of lines that is the list."""
    best = entries_of_marked(lines.numbered) or from_table(lines.rows)
    for group in (lines.bullets, lines.nested):
        entries = entries_of_marked(group)
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


def entries_of_marked(lines: list[Line]) -> list[Entry]:
    """Entries of numbered or bulleted lines."""
    found = []
    long = len(lines) >= LONG_LIST
    for start, body, text, number, *_ in lines:
        film = read(text)
        if film.compound:
            for begin, content, stop in marked_pieces(text, number):
                part = read(text[content:stop])
                if part.title and not part.prose:
                    found.append(entry(part, body + begin if begin else start, body + stop))
        elif not film.title or film.prose or (film.vague and not (number and long)) or AVOIDED_REMARK.match(film.rest):
            continue
        elif number or film.dated or not film.rest:  # "- Comedy:" is none
            found.append(entry(film, start, body + len(text)))
    return found


def entry(film: Reading, start: int, end: int) -> Entry:
    return Entry(start, end, film.title, film.year, film.dated, film.given_id)


class PlainLine(NamedTuple):
    """`sure`: its entries are films whatever stands around them. `other`: it is neither a film nor a heading."""

    entries: list[Entry]
    sure: bool
    other: bool


def read_plain(line: Line, tagged: bool, edge: bool, alone: bool) -> PlainLine:
    """What a line without a marker says; `edge`: it is the first or the last one, `alone`: there is no other."""
    start, body, content, _, heading, _ = line
    film = read(content)
    title, _, dated, rest, prose, *_ = film
    if pieces := plain_pieces(content, alone=tagged and alone):
        parts = [(read(content[a:b]), body + a, body + b) for a, b in pieces]
        return PlainLine([entry(r, a, b)._replace(dated=True) for r, a, b in parts if r.title], True, False)
    if dated:
        ends = not rest or rest in ",;" or (rest[0] in "-–—:|([/*" and rest != ":")
        sure = rest[-1:] != ":" if tagged else not (talks(title) or (not ends and lower_words(title)))
        listed = sure or not rest
    else:
        listed = not (heading or rest or prose or film.vague or (edge and not tagged and closes(content))) and (
            tagged or looks_titled(title)
        )
        sure = tagged
    entries = [entry(film, start, body + len(content))] if listed and title else []
    return PlainLine(entries, sure, not listed and not rest)


def closes(content: str) -> bool:
    """Whether a line ends as a sentence does; in first or last place it is no film."""
    return content.rstrip("*_\"'”").endswith(SENTENCE_END)


def talks(title: str) -> bool:
    """Whether what stands before a year is a sentence that ends in a title, or speaks to the reader or of films."""
    return bool(INTRODUCTION.search(title) or (ADDRESS.search(title) and lower_words(title) > 1))


def _plain(text: str, lines: list[Line], tagged: bool) -> list[Entry]:
    """Entries of lines without a marker."""
    lines = [part for line in lines for part in _recommending(line)]
    last = len(lines) - 1
    said = [read_plain(line, tagged, i in (0, last), not last) for i, line in enumerate(lines)]
    found = [(e, line.sure) for line in said for e in line.entries]
    if not any(sure for _, sure in found):
        undated = [e for e, _ in found if not e.dated]
        return undated if len(undated) > max(1, sum(line.other for line in said)) else []
    kept: list[Entry] = []
    for e, sure in found:
        if sure or (kept and directly_below(text, kept[-1], e)):
            kept.append(e)
    return kept


def directly_below(text: str, film: Entry, other: Entry) -> bool:
    return len(text[film.end : other.start].splitlines()) < 2


def _recommending(line: Line) -> list[Line]:
    """What of a plain line does not say what to avoid."""
    if not line.aside:
        return [line]
    spans = recommended_sentences(line.text)
    return [
        line._replace(start=line.body + a if a else line.start, body=line.body + a, text=line.text[a:b].rstrip())
        for a, b in spans
    ]
