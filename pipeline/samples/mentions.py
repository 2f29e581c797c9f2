"""Films that people mention in a conversation as "Title (Year)": where such a title begins, only the store can tell."""

import re

import duckdb
import pyarrow as pa

from oracle.base.resources import read_sql

LONGEST = 12  # words of a title
_YEAR = re.compile(r"\(((?:18|19|20)\d\d)\)")
_WORD = re.compile(r"\S+")
_LINKING = frozenset(
    ("a", "an", "and", "as", "at", "by", "de", "der", "des", "di", "du", "el", "en", "for", "from", "in", "is", "la",
     "le", "les", "of", "on", "or", "the", "to", "und", "vs", "vs.", "with", "&")
)  # fmt: skip
# What begins a sentence, rather than a title.
_OPENING = frozenset(("also", "and", "but", "like", "loved", "maybe", "oh", "or", "saw", "so", "watched", "yes"))
_CANDIDATES = pa.schema([("mention", pa.int32()), ("start", pa.int32()), ("title", pa.string()), ("year", pa.int32())])


def mentioned_films(connection: duckdb.DuckDBPyConnection, dialogs: list[list[str]]) -> list[list[dict]]:
    """Return the films mentioned in each conversation (a list of utterances), as {"title", "year"}, each once.

    A title is the longest text before the year that is a title of the store; where there is none, or only a shorter
    one of another year (two years off at most), the words before the year that are written with capitals.
    """
    mentions: list[tuple[int, str, int]] = []  # conversation, text before the year, year
    for number, utterances in enumerate(dialogs):
        for utterance in utterances:
            end = 0
            for found in _YEAR.finditer(utterance):
                mentions.append((number, utterance[end : found.start()].rstrip(), int(found[1])))
                end = found.end()
    candidates = [
        {"mention": mention, "start": start, "title": title, "year": year}
        for mention, (_, before, year) in enumerate(mentions)
        for start, title in _endings(before)
    ]
    connection.register("candidates", pa.Table.from_pylist(candidates, _CANDIDATES))
    known = {
        mention: (title, is_same_year)
        for mention, title, is_same_year in connection.sql(read_sql("sources/mentions")).fetchall()
    }
    connection.unregister("candidates")
    films: list[dict[tuple[str, int], dict]] = [{} for _ in dialogs]
    for mention, (number, before, year) in enumerate(mentions):
        title, is_same_year = known.get(mention, ("", False))
        written = _capitalised(before)
        if len(written) > len(title) and not is_same_year:
            title = written
        if title:
            films[number].setdefault((title.lower(), year), {"title": title, "year": year})
    return [list(found.values()) for found in films]


def _endings(text: str) -> list[tuple[int, str]]:
    """The last words of a text, from each word on: (place, text)."""
    starts = [word.start() for word in _WORD.finditer(text)][-LONGEST:]
    return [(start, text[start:].lstrip("\"'“‘*.,:;!?-")) for start in starts]


def _capitalised(text: str) -> str:
    """The words at the end of a text, within a sentence, that look like a title."""
    title: list[str] = []
    passed: list[str] = []  # linking words, of the title only where a capital comes before them
    for word in reversed(text.split()[-LONGEST:]):
        letters = word.lstrip("\"'“‘*(")
        if (title or passed) and (word[-1] in "!?" or (word[-1] == "." and len(word) > 4)):  # not "Vol."
            break
        if letters[:1].isupper() or letters[:1].isdigit():
            title, passed = [word, *passed, *title], []
        elif letters.lower() in _LINKING:
            passed.insert(0, word)
        else:
            break
    while len(title) > 1 and title[0].strip(",").lower() in _OPENING:
        title.pop(0)
    return " ".join(title).strip("\"'“‘*,;-")
