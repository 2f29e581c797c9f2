"""What the text of one list entry says: the film's title, its year, and whether it is a sentence instead.

The first "(year)" ends the title, so that dashes, colons, brackets and numbers before it stay: *Mission: Impossible -
Fallout (2018)*. Without a year, what follows " - ", ": " or ". " is cut where lower case betrays a remark, and so is a
"(...)" at the end.
"""

import re
from functools import lru_cache
from typing import NamedTuple

YEARS = range(1870, 2036)  # outside of it a number is no release year
LONGEST = 400  # characters of an entry in which title and year are looked for

INVISIBLE = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe0f\ufeff\ud800-\udfff"
SYMBOLS = "•‣·・●◦∙\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2900-\u2bff\U0001f000-\U0001faff"
OPEN, CLOSE = "(\\[（［【〔", ")\\]）］】〕"

GROUP = re.compile(rf"[{OPEN}]([^{OPEN}{CLOSE}]*+)(?:[{CLOSE}]|$)")
BEFORE_YEAR = r"[,;、]\s*|\b(?:film|movie|series|released)\s"
GROUP_YEAR = re.compile(rf"(?:^\W*|{BEFORE_YEAR})(\d{{4}})(?![\ds])")
BARE_YEAR = re.compile(r"(?:,|\||\t|\s[-–—])\s*(\d{4})(?=年|\s*(?:$|film|movie|[-–—:,.;|(]))")
YEAR_BEHIND = re.compile(  # of a title in quotes or bold
    rf"[\s,:;*_`\"”|–—-]*(?:(?:directed )?by [^{OPEN}]{{1,40}})?"
    rf"(?:[{OPEN}](?:[^{OPEN}{CLOSE}]{{0,80}}?(?:{BEFORE_YEAR}))?(\d{{4}})(?![\ds])[^{CLOSE}]*[{CLOSE}]?|(\d{{4}})(?!\w))"
)
LINK = re.compile(r"\[([^\[\]]*+)\]\((?:https?:|www\.|/|#)(?:[^()]|\([^()]*+\))*+\)?")
JUNK = re.compile(rf"[{INVISIBLE}]|</?\|?[a-zA-Z][^<>]{{0,60}}>")
EDGE = re.compile(rf"^[\s{SYMBOLS}]+|[\s{SYMBOLS}]+$")
LABEL = re.compile(r"^[*_]*(?:movie|film|title|recommendation|pick|answer)\s*#?\d*\s*(?::[*_]*|[*_]+:)\s*", re.I)
WRAPPED = re.compile(
    r"""(?: (\*{1,3}|_{1,3}|`)(?=\S)(?P<a>.+?)\1 | ["“„”](?P<b>[^"“”]+)["“”] | «(?P<c>[^«»]+)» | 『(?P<d>[^『』]+)』
      | 「(?P<e>[^「」]+)」 | 《(?P<f>[^《》]+)》 | 〈(?P<g>[^〈〉]+)〉 | ['‘](?P<h>.+?)['’](?!\w) )(?P<rest>.*)""",
    re.X | re.S,
)
QUOTES = [('"', '"'), ("“", "”"), ("«", "»"), ("『", "』"), ("「", "」"), ("《", "》")]
QUOTE = re.compile('["“”«»『』「」《》]')
RAGGED = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "-–—:;,|*_`~\\"  # at the edges of a title
LONE_NUMBER = re.compile(rf"[{OPEN}]\d*+[{CLOSE}]?")
GOES_ON = re.compile(r"\w|\s+(?!\d{4}\b)[^\W_a-z]")  # '"Crocodile" Dundee': the quotes are part of the title
SEPARATOR = re.compile(r"\s+[-–—~|]+\s+|\s*—\s*|\s?:\s+|\s*：\s*|(?<![.\s])\.\s+(?![-–—])")
SEPARATORS = frozenset("-–—~|:：.")  # one of which is in each separator
CREDITS = re.compile(
    r",?\s+(?:directed by|dir\.|starring|featuring)\s.*|,\s(?:an?|which|released|with)\s(?=[a-z]).*",
    re.S,
)
CREDIT = re.compile(r"(?:[Dd]irected|[Dd]ir\.|[Ss]tarring|[Ff]eaturing|by)\s")
ARTICLE = re.compile(r"(?:[Aa]n?|[Tt]his)\s(?=[a-z])")
ASIDE = re.compile(r"\s*\((?:TV|[a-z])[^()]*\)\s*$")
WORD = re.compile(r"[^\W\d_][\w'’]*")
SMALL_WORDS = (  # those that titles do not capitalise, in English and its neighbours
    "a an and as at but by d da das de del der des di die du e el en et for from i il in into is it l la las le les "
    "los n nd o of off on or out over rd s st t th the to und up v van von vs with y"
)
SMALL = frozenset(SMALL_WORDS.split())
ADDRESS = re.compile(r"\b(?:you|your|recommend\w*|suggest\w*|movies?|films?|sorry|can't|cannot)\b")
INTRODUCTION = re.compile(  # "You may like Heat"
    r"\b(?:recommend|suggest|try|watch|consider|includ(?:e|ing)|(?:lik|lov|enjoy)(?:ed?)?|such as)\s+(?=[A-Z\"“*_])"
)
QUOTATION = frozenset('"“')
TWO_QUOTED = re.compile(r"\w[^\"“]*[\"“][^\"”]+[\"”],? (?:or|and) [\"“]")
COMPOUND = re.compile(rf"[\s{CLOSE}][*_`(]*\d{{1,3}}[.)]|\s[•‣●▪]\s|<li>|[{CLOSE}].*[{CLOSE}]")
SENTENCE_END = tuple(".?!…。？！")


class Entry(NamedTuple):
    """A film and where it stands in the text. `dated`: a year is written, so it is no mere heading or remark."""

    start: int
    end: int
    title: str
    year: int | None
    dated: bool


class Reading(NamedTuple):
    """`dated`: a year is written; `year` is still None if it is an impossible one.

    `rest`: what follows the year; without a year ":" if the entry ends so. `prose`: it is a sentence, no film.
    `compound`: it may hold several entries.
    """

    title: str
    year: int | None
    dated: bool
    rest: str
    prose: bool
    compound: bool


@lru_cache(maxsize=2**14)  # a policy names the same films again and again
def _read(entry: str) -> Reading:
    text = entry if entry.isascii() and "<" not in entry else JUNK.sub("", entry)  # the test is cheaper by far
    title, year, dated, rest = _split(text)
    sentence = title + "." if f"{title}." in text else title
    return Reading(title, year, dated, rest, not dated and _is_prose(sentence), bool(COMPOUND.search(entry)))


def read(entry: str) -> Reading:
    """Read the text of one entry (its marker taken off); the title is empty where there is none."""
    return _read(entry[:LONGEST])


def lower_words(text: str) -> int:
    """The number of words in lower case that a title would capitalise; 0 for scripts without case."""
    return sum(map(_is_lower, WORD.findall(text)))


def _is_lower(word: str) -> bool:
    return word[0].islower() and word not in SMALL


def sane_year(digits: str) -> int | None:
    year = int(digits)
    return year if year in YEARS else None


def _split(s: str, depth: int = 3, inside: bool = False, whole: bool = False) -> tuple[str, int | None, bool, str]:
    """Title, year, whether a year is written, and the rest.

    `inside`: `s` stood in quotes or bold, so that it has no remark; `whole`: with a year behind, so that all is title.
    """
    s = LINK.sub(r"\1", s) if "](" in s else s
    s = LABEL.sub("", s.strip() if s.isascii() else EDGE.sub("", s), count=1)
    wrapped = WRAPPED.match(s) if depth else None
    if wrapped:
        inner, behind = next(filter(None, wrapped.group(*"abcdefgh"))), wrapped["rest"]
        if inner.endswith(":") and (labelled := _split(behind, depth - 1))[2] and not labelled[3][:1].isalpha():
            return labelled  # "**Horror:** Alien (1979)"
        if inner.endswith(":") or not GOES_ON.match(behind):
            found = YEAR_BEHIND.match(behind) or BARE_YEAR.search(behind)
            title, year, dated, rest = _split(inner, depth - 1, True, whole or bool(found))
            if found and not dated:
                return title, sane_year(found[found.lastindex or 1]), True, _trim(behind[found.end() :])
            return title, year, dated, rest + _trim(behind) if dated else _colon(s)
    for group in GROUP.finditer(s):
        head = s[: group.start()]
        if (found := GROUP_YEAR.search(group[1])) and (title := _tidy(CREDITS.sub("", ASIDE.sub("", head)))):
            return title, sane_year(found[1]), True, _trim(s[group.end() :])
    if not whole and (found := BARE_YEAR.search(s)) and (title := _tidy(CREDITS.sub("", s[: found.start()]))):
        return title, sane_year(found[1]), True, _trim(s[found.end() :])
    title = s.rstrip() if inside else CREDITS.sub("", _without_remark(s)).rstrip()
    for group in () if whole else reversed([*GROUP.finditer(title)]):
        head = title[: group.start()].rstrip()
        if group.end() == len(title) and _tidy(head) and not head.endswith((" or", " and")):
            title = head
    return _tidy(title), None, False, _colon(s)


def _without_remark(s: str) -> str:
    if SEPARATORS.isdisjoint(s):
        return s
    cuts = [*SEPARATOR.finditer(s)]
    for i, cut in enumerate(cuts):
        end = cuts[i + 1].start() if i + 1 < len(cuts) else len(s)
        head, tail, mark = s[: cut.start()], s[cut.end() : end], cut[0].strip()
        words, cased = WORD.findall(tail), not lower_words(GROUP.sub("", head))  # else case says little, as in French
        lower, least = sum(map(_is_lower, words)), 5 if not cased else 1 if mark in "-–—~|" else 2
        starts_low = (
            lower and cased and len(words) > 1 and mark != "." and tail[:1].islower() and not head[:1].islower()
        )
        stops = (lower and tail.endswith(".") and len(words) > 3 and mark != ".") or tail.endswith("。")
        speaks = CREDIT.match(tail) or (lower > 1 and ARTICLE.match(tail))
        remark = lower >= least or starts_low or stops or speaks
        if remark and _tidy(head):
            return head
    return s


def _is_prose(title: str) -> bool:
    """A sentence that speaks to the reader or of films, or names two films, or is long and mostly in lower case."""
    if title.count(" ") > 30 or (not QUOTATION.isdisjoint(title) and TWO_QUOTED.search(title)):
        return True
    if not title.rstrip("\"'”»*_) ").endswith(SENTENCE_END):
        return False
    _, *words = WORD.findall(title) or [""]
    lower = sum(map(_is_lower, words))
    return (lower > 1 and bool(ADDRESS.search(title))) or (len(words) > 6 and lower >= 0.6 * len(words))


def _colon(s: str) -> str:
    return ":" if _trim(s).endswith((":", "：")) else ""


def _trim(s: str) -> str:
    return s.strip(" \t*_`\"”»'")


def _tidy(title: str) -> str:
    """Without what is left over at its edges: separators, emphasis, an unpaired quote, a bracket that was cut off."""
    title = title.strip(RAGGED)
    for left, right in QUOTES if QUOTE.search(title) else ():
        if title.count(left) != title.count(right) or (left == right and title.count(left) % 2):
            title = title.strip(left + right).strip(RAGGED)
    opened = max(title.rfind("("), title.rfind("["))
    if opened > 0 and not re.search(r"[)\]]", title[opened:]):
        title = title[:opened].strip(RAGGED)
    return title if (title[:1].isalnum() or any(map(str.isalnum, title))) and not LONE_NUMBER.fullmatch(title) else ""
