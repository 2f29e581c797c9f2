"""Several entries on one line: "1. A 2. B", "• A • B", "A (1999), B (2000)", "Some films for you: A, B and C"."""

import re
from itertools import pairwise

from oracle.answers.entry import ADDRESS, CLOSE, GROUP, GROUP_YEAR, INTRODUCTION, lower_words, read

INLINE_NUMBER = re.compile(rf"(?<=[\s{CLOSE}])[*_`(]*(\d{{1,3}})[.)]{{1,2}}(?=[*_`\s]|$)")
INLINE_BULLET = re.compile(r"(?<=\s)[•‣●▪]\s|<li>")
CHAIN_LINK = re.compile(r"\s*+[*_\"”']*+\s*+(?:[,;|/&+]|and\b|or\b)[\s,;]*(?:(?:and|or)\s+)?")
CHAIN_END = re.compile(r"[*_\"”'\s]*+(?:[.!]\s|[.!*_\"”'\s]*+$)")
LIST_SENTENCE = re.compile(r"[.!?]\s+(?=[^,;:.!?]*:\s)")


def marked_pieces(body: str, number: int) -> list[tuple[int, int, int]]:
    """Of each entry in a line behind its marker: where it begins, where its text begins, and where it ends.

    Further numbers must go on counting from `number` (0: a bullet). A single one must stand between films with years.
    """
    cuts = [(0, 0)]
    for m in INLINE_NUMBER.finditer(body) if number else INLINE_BULLET.finditer(body):
        if not number or int(m[1]) == number + len(cuts):
            cuts.append(m.span())
    ends = [begin for begin, _ in cuts[1:]] + [len(body)]
    pieces = [(a, b, b + len(body[b:end].rstrip(" \t,;"))) for (a, b), end in zip(cuts, ends, strict=True)]
    readings = [read(body[content:end]) for _, content, end in pieces[:2]]
    if len(pieces) > 2 or (len(pieces) == 2 and readings[0].dated and (readings[1].dated or not readings[0].rest)):
        return pieces
    return [(a if i else 0, a, b) for i, (a, b) in enumerate(_chain(body))] or [(0, 0, len(body))]


def plain_pieces(body: str, alone: bool) -> list[tuple[int, int]]:
    """The entries that a line without a marker lists, sentence by sentence; [] if it is no such list.

    `alone`: the line is all there is inside of <solution>, so that it need not say that it is a list.
    """
    if "," not in body and ";" not in body and ")" not in body:
        return []
    cuts = [0, *(m.end() for m in LIST_SENTENCE.finditer(body)), len(body)]
    return [
        (offset + a, offset + b)
        for offset, end in pairwise(cuts)
        for a, b in _chain(body[offset:end]) or _loose_chain(body[offset:end], alone)
    ]


def looks_titled(title: str) -> bool:
    return 0 < len(title) <= 80 and not lower_words(title)


def _chain(body: str) -> list[tuple[int, int]]:
    """The entries of "A (1999), B (2000) and C (2001)", with or without words and a colon before."""
    groups = [g for g in GROUP.finditer(body) if GROUP_YEAR.search(g[1])]
    if len(groups) < 2:
        return []
    head = body[: groups[0].start()]
    starts = [max(_after_lead(head), *(m.end() for m in INTRODUCTION.finditer(head)), 0)]
    for left, right in pairwise(groups):
        link = CHAIN_LINK.match(body, left.end(), right.start())
        if not link or body[link.end()].islower():
            return []
        starts.append(link.end())
    pieces = [(a, group.end()) for a, group in zip(starts, groups, strict=True)]
    tail = CHAIN_END.match(body, groups[-1].end())
    if not tail:  # one more film, without a year, or cut off
        link = CHAIN_LINK.match(body, groups[-1].end())
        if not link or not looks_titled(read(body[link.end() :]).title):
            return []
        pieces.append((link.end(), len(body)))
    return [] if any(b - a > 120 or ADDRESS.search(body, a, b) for a, b in pieces) else pieces


def _loose_chain(body: str, alone: bool) -> list[tuple[int, int]]:
    """The entries of "Try these: A, B and C" (at least 3) or "A; B" (2), without years; `alone`: the words may lack."""
    lead = _after_lead(body)
    mark = ";" if ";" in body[lead:] else ","
    if not (lead or alone):
        return []
    pieces: list[tuple[int, int]] = []
    for m in re.finditer(rf"\s*+((?:and|or|&)\s++)?((?>(?:[^{mark}(]|\([^()]*+\)?)+))", body[lead:]):
        a, b = lead + m.start(2), lead + m.end()
        if pieces and not m[1] and body[a].islower():  # "The Good, the Bad and the Ugly"
            pieces[-1] = (pieces[-1][0], b)
        elif text := body[a:b].rstrip(" .!?"):
            pieces.append((a, a + len(text)))
    enough = len(pieces) >= (2 if mark == ";" else 3 if lead else 4)
    return pieces if enough and all(looks_titled(read(body[a:b]).title) for a, b in pieces) else []


def _after_lead(text: str) -> int:
    """Where the list starts in "Some films for you: A": behind the colon, if the words before it are no title."""
    lead, colon, _ = text.partition(": ")
    words = lead.split()
    introduces = words and words[-1][0].islower() and (lower_words(lead) or ADDRESS.search(lead))
    return len(lead) + 2 if colon and introduces else 0
