"""Normalised titles, step by step as `sql/titles/normalise.sql` has them, with its patterns and the words of `spellings.sql`.

Why twice: planning the SQL takes longer than these steps take for thousands of titles, and new titles come a few at a
time. Only letters that are not ASCII are left to SQL. Tests hold both to the same results.
"""

import re
from collections.abc import Sequence
from functools import cache

import duckdb
import pyarrow as pa

from oracle.base.database import connect
from oracle.base.resources import read_sql

# What is neither letter nor digit becomes a space. Those beyond ASCII are learnt from DuckDB, whose tables of them may be newer.
SIGNS = {number: " " for number in range(128) if not chr(number).isalnum()}
# What SQL's trim takes off.
SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
DROPPED = frozenset(("a", "an", "the", "and"))  # "a" and "an" in front only


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """An in-memory connection with the macros for titles: take a cursor of it."""
    connection = connect(threads=1)
    for name in ("titles/spellings", "titles/normalise", "titles/rules", "titles/variants"):
        connection.execute(read_sql(name))
    return connection


@cache
def constant(macro: str):
    """Return what an SQL macro without parameters holds."""
    with engine().cursor() as cursor:
        return cursor.sql(f"select {macro}()").fetchall()[0][0]


@cache
def pattern(macro: str) -> re.Pattern[str]:
    """Return the regular expression that an SQL macro holds, to be read as SQL reads it."""
    return compiled(constant(macro))


def compiled(expression: str) -> re.Pattern[str]:
    """Compile what SQL takes for a regular expression: ASCII classes, and "$" is nothing but the end of the text."""
    return re.compile(expression.replace("$", r"\Z"), re.ASCII)


REMEMBERED = 2**15  # titles
FOLDED: dict[str, str] = {}  # titles that are not ASCII, folded: to ask SQL takes 3 ms, and a policy repeats itself


def fold(titles: Sequence[str]) -> list[str]:
    """Return titles in letters without case and accents, with "&" and "+" spelt out."""
    other = {title for title in titles if not title.isascii()}
    folded = {title: FOLDED[title] for title in other if title in FOLDED}
    if new := list(other - folded.keys()):
        folded |= _fold_in_sql(new)
        if len(FOLDED) + len(new) <= REMEMBERED:
            FOLDED.update(folded)
    return [
        title.lower().replace("&", " and ").replace("+", " and ").replace("'", "").replace("`", "")
        if title.isascii()
        else folded[title]
        for title in titles
    ]


def _fold_in_sql(titles: list[str]) -> dict[str, str]:
    with engine().cursor() as cursor:
        texts = (
            cursor.from_arrow(pa.table({"title": titles}))
            .select("fold_title(title) as folded, foreign_signs(folded) as signs")
            .fetchall()
        )
    SIGNS.update((ord(sign), " ") for _, signs in texts for sign in signs)
    return dict(zip(titles, (text for text, _ in texts), strict=True))


def wording(folded: str) -> list[str]:
    """Return the words of a title that `fold` folded."""
    if "," in folded or "." in folded:
        standard = _standards()
        folded = standard.initial.sub(r"\1", standard.article_at_the_end.sub(r"\2 \1", folded))
    return [word for word in folded.translate(SIGNS).split(" ") if word]


def normalise_folded(folded: str) -> str:
    """Return the words of a folded title that count, each in its standard spelling, parted by one space."""
    standard = _standards()
    words = list(map(standard.spelling.__getitem__, wording(folded)))
    if not standard.several_ways.isdisjoint(words):
        words = [standard.word(words, place) for place in range(len(words))]
    if not DROPPED.isdisjoint(words):
        if words[0] in ("a", "an") and len(words) > 1:
            del words[0]
        words = [word for word in words if word not in ("the", "and")]
    return " ".join(words) or folded.strip(SPACES)


class _Standards:
    """Standard spellings and words, as SQL names them."""

    def __init__(self) -> None:
        self.article_at_the_end = pattern("article_at_the_end")
        self.initial = pattern("initial")
        self.spelling = _Spellings()
        self.words: dict[str, str] = constant("word_standards")
        self.numerals: dict[str, str] = constant("roman_numerals")
        self.numbered = frozenset(constant("numbered_words"))
        self.several_ways = frozenset(self.numerals) | frozenset(self.words)

    def word(self, words: list[str], place: int) -> str:
        """Return the standard for the word at a place (from 0): a numeral of one letter counts where SQL says so."""
        word = words[place]
        counts = len(word) > 1 or place == len(words) - 1 or words[place - 1] in self.numbered
        if place and word in self.numerals and counts:
            return self.numerals[word]
        return self.words.get(word, word)


class _Spellings(dict[str, str]):
    """The American spelling of each word, worked out once: titles share their words."""

    def __init__(self) -> None:
        self.variant = pattern("spelling_variant")
        self.rules = [(compiled(expression), replacement) for expression, replacement in constant("spelling_rules")]

    def __missing__(self, word: str) -> str:
        standard = word
        if self.variant.search(word):
            for rule, replacement in self.rules:
                standard = rule.sub(replacement, standard)
        if len(self) < 100_000:
            self[word] = standard
        return standard


@cache
def _standards() -> _Standards:
    return _Standards()


def normalise(titles: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return the normalised form of each title; null for null, empty for a title without a visible character."""
    if isinstance(titles, pa.ChunkedArray):
        titles = titles.combine_chunks()
    distinct = titles.cast(pa.string()).dictionary_encode()  # the titles of a batch recur
    forms = [normalise_folded(folded) for folded in fold(distinct.dictionary.to_pylist())]
    return pa.array(forms, pa.string()).take(distinct.indices)
