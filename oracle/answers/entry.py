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
BEFORE_YEAR = r"[,;、]\s*|(?i:\b(?:film|movie|series|special|documentary|anime|released(?: in)?|since|from|year:?)\s)"
CAPITALISED = r"(?:[A-Z][\w./&-]*\s+){1,4}"  # "(TV Series 2017–2020)", "(Pixar 2017)"
GROUP_YEAR = re.compile(rf"(?:^\W*|{BEFORE_YEAR}|^{CAPITALISED})(\d{{4}})(?![\ds])")
LEADING_YEAR = re.compile(rf"\W*[{OPEN}](\d{{4}})[{CLOSE}][\s:–—-]*(?=[^\s{OPEN}])")  # "(2017) Coco"
YEAR_LABEL = r"(?:(?i:release\s?date|released?(?: in)?|year(?: of release)?)\s*[:=]?\s*)?"
BARE_YEAR = re.compile(
    rf"(?:(?:,|\||\t|\s[-–—/]|;)\s*{YEAR_LABEL}(\d{{4}})(?=年|\s*(?:$|film|movie|[-–—:,.;|(]))"
    r"|\s[*_]*(?i:release\s)?(?i:year)[*_]*:[*_]*\s*(\d{4})(?!\d)"  # "Coco **Year:** 2017"
    r"|(?<=\S)\s+(\d{4})[–-](?=\d{4}\b|\d\d\b|\s*(?i:present|now|ongoing)\b))"  # "Breaking Bad 2008–2013"
)
YEAR_BEHIND = re.compile(  # of a title in quotes or bold
    rf"[\s,:;*_`\"”|–—-]*(?:(?:directed )?by [^{OPEN}]{{1,40}})?"
    rf"(?:[{OPEN}](?:[^{OPEN}{CLOSE}]{{0,80}}?(?:{BEFORE_YEAR}))?(\d{{4}})(?![\ds])[^{CLOSE}]*[{CLOSE}]?|(\d{{4}})(?!\w))"
)
LINK = re.compile(r"\[([^\[\]]*+)\]\((?:https?:|www\.|/|#)(?>(?:[^()]|\([^()]*+\))*)\)?")
JUNK = re.compile(rf"[{INVISIBLE}]|</?\|?[a-zA-Z][^<>]{{0,60}}>")
EDGE = re.compile(rf"^[\s{SYMBOLS}]+|[\s{SYMBOLS}]+$")
TITLE_LABEL = r"(?:(?:movie|film|item)[ _]?)?(?:title|name)|movie|film|item|recommendation|pick|answer"
LABEL = re.compile(
    rf"^(?:rank\W{{0,3}}\d{{1,3}}[*_]*\s*[:.,;)–-]\W*(?=\w))?[*_\"]*(?:{TITLE_LABEL})[\s_]*#?\d*\s*(?:[:=][*_]*|[*_\"]+:)\s*",
    re.I,
)
RANK_LABEL = re.compile(r"^[*_]*rank\W{0,3}\d{1,3}[*_]*\s*[:.)–-]\s*(?=\S)", re.I)
GIVEN_ID = re.compile(r"(?<![A-Za-z0-9])tt\d{7,9}(?![A-Za-z0-9])")
_ADDRESS_OR_ID = (
    r"(?:<?(?:https?://|www\.)[^\s<>()\[\]|]*+>?|(?:www\.)?imdb\.com/\S*+|(?<![A-Za-z0-9])tt\d{7,9}(?![A-Za-z0-9])/?)"
)
_ID_LABEL = r"(?:(?i:imdb|tconst|link|url|id)\b(?:[ _]?(?i:id|link|url)\b)?\s*[:=#–-]?\s*)?"
BESIDE_TITLE = re.compile(rf"[(\[]\s*{_ID_LABEL}{_ADDRESS_OR_ID}\s*[)\]]|{_ID_LABEL}{_ADDRESS_OR_ID}")
WRAPPED = re.compile(
    r"""(?: (\*{1,3}|_{1,3}|`)(?=\S)(?P<a>.+?)\1 | ["“„”](?P<b>[^"“”]+)["“”] | «(?P<c>[^«»]+)» | 『(?P<d>[^『』]+)』
      | 「(?P<e>[^「」]+)」 | 《(?P<f>[^《》]+)》 | 〈(?P<g>[^〈〉]+)〉 | ['‘](?P<h>.+?)['’](?!\w) )(?P<rest>.*)""",
    re.X | re.S,
)
QUOTES = [('"', '"'), ("“", "”"), ("«", "»"), ("『", "』"), ("「", "」"), ("《", "》")]
QUOTE = re.compile('["“”«»『』「」《》]')
RAGGED = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "-–—:;,|*_`~\\"  # at the edges of a title
LEADS_YEAR = frozenset("(（[［【〔*_")
LONE_NUMBER = re.compile(rf"[{OPEN}]\d*+[{CLOSE}]?")
GOES_ON = re.compile(r"\w|\s+(?!\d{4}\b)[^\W_a-z]")  # '"Crocodile" Dundee': the quotes are part of the title
SEPARATOR = re.compile(r"\s+[-–—~|]+\s+|\s*—\s*|\s?:\s+|\s*：\s*|(?<![.\s])\.\s+(?![-–—])")
SEPARATORS = frozenset("-–—~|:：.")  # one of which is in each separator
CREDITS = re.compile(
    r",?\s+(?:directed by|dir\.|starring|featuring)\s.*|,\s(?:an?|which|released|with)\s(?=[a-z]).*",
    re.S,
)
NAME = r"(?:[A-Z][\w.'’-]*|de|del|van|von|der|la|di|da|al|bin|and|&)"
BY_LINE = (
    re.compile(  # "The Martian by Andy Weir", and not "Call Me by Your Name", "Saved by the Bell", "Murder by Death"
        rf"\s*[,–—-]?\s+[bB]y\s+(?!(?:Your|My|The|An?|His|Her|Our|Their|Its|This|That|Me|You|All|No|One)\b)"
        rf"[A-Z][\w.'’-]*(?:\s+{NAME}){{1,5}}\.?\s*$"
    )
)
SERIES = re.compile(r"\s*[,–—-]\s+(?:TV|television|web|limited)[ -](?:mini[ -]?)?(?:series|show|special)\s*$", re.I)
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
GENRE = (
    r"(?:action|adventure|animat(?:ion|ed)|biograph(?:y|ical)|biopic|com(?:edy|edies|ing-of-age)|crime|documentar(?:y|ies)|dramas?|dramed(?:y|ies)|"
    r"family|fantasy|film[- ]noir|historical|history|horror|martial[- ]arts|music|musicals?|myster(?:y|ies)|noir|"
    r"psychological|rom-?coms?|romance|romantic|sci-?fi|science[- ]fiction|slashers?|sports?|supernatural|suspense|"
    r"thrillers?|war|westerns?)"
)
_OF_FILMS = r"(?:[Mm]ovies?|[Ff]ilms?|[Ff]licks?|[Cc]lassics|[Ss]eries|[Ss]hows?|[Gg]enres?)"
VAGUE = re.compile(  # a genre, "Good movies", "A warm comedy with dogs"; but "Scary Movie" and "War Horse" are titles
    rf"(?i:(?:{GENRE}|family-friendly|feel-good|light-?hearted)(?:(?:\s*[-/,&]\s*|\s+(?:and\s+|or\s+)?){GENRE}){{0,3}})(?:\s+{_OF_FILMS})?"
    rf"|(?:[A-Z][\w’'-]*\s+)(?:[a-z][\w’'-]*\s+){{0,4}}(?:movies|films|flicks|genres?)|(?i:any|some|a|another|good|great)\s+(?:movie|film)"
    rf"|(?:An?|Some)(?:\s+[a-z][\w’'-]*){{0,4}}\s+(?:{GENRE}|films?|movies?)(?:\s+(?:about|for|from|in|like|set|that|where|with)\s.*)?"
    r"|(?:Movies|Films)\s+[a-z].*|(?:Something|Anything)(?:\s[a-z'’-]+){2,}"
)


class Entry(NamedTuple):
    """A film and where it stands in the text. `dated`: a year is written, so it is no mere heading or remark."""

    start: int
    end: int
    title: str
    year: int | None
    dated: bool
    given_id: str | None = None


class Reading(NamedTuple):
    """`dated`: a year is written; `year` is still None if it is an impossible one.

    `rest`: what follows the year; without a year ":" if the entry ends so. `prose`: it is a sentence, no film.
    `compound`: it may hold several entries. `given_id`: an IMDb id that is written with it. `vague`: the title names a
    genre or a kind of films.
    """

    title: str
    year: int | None
    dated: bool
    rest: str
    prose: bool
    compound: bool
    given_id: str | None = None
    vague: bool = False


@lru_cache(maxsize=2**15)  # a policy names the same films again and again
def _read(entry: str) -> Reading:
    text = entry if entry.isascii() and "<" not in entry else JUNK.sub("", entry)  # the test is cheaper by far
    given_id = None
    if "tt" in entry or "www." in entry:  # of "https" too
        found = GIVEN_ID.search(entry)
        given_id = found[0] if found else None
        text = BESIDE_TITLE.sub("", LINK.sub(r"\1", text)).strip(RAGGED.replace("*", "").replace("_", ""))
    title, year, dated, rest = _split(text)
    sentence = title + "." if f"{title}." in text else title
    prose = not dated and _is_prose(sentence)
    vague = not dated and not given_id and title == text.strip("*_ .:") and VAGUE.fullmatch(title) is not None
    compound = bool(COMPOUND.search(entry))
    return Reading(title or given_id or "", year, dated or bool(given_id), rest, prose, compound, given_id, vague)


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
    s = RANK_LABEL.sub("", s) if s[:4].lower() == "rank" else s
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
    if s[:1] in LEADS_YEAR and (found := LEADING_YEAR.match(s)) and sane_year(found[1]):
        title, year, dated, rest = _split(s[found.end() :], depth - 1, inside)
        return (title, year, True, rest) if dated else (title, sane_year(found[1]), True, rest)
    for group in GROUP.finditer(s):
        head = s[: group.start()]
        if (found := GROUP_YEAR.search(group[1])) and (title := _tidy(_without_credits(ASIDE.sub("", head)))):
            return title, sane_year(found[1]), True, _trim(s[group.end() :])
    if not whole and (found := BARE_YEAR.search(s)) and (title := _tidy(_without_credits(s[: found.start()]))):
        return title, sane_year(found[found.lastindex or 1]), True, _trim(s[found.end() :])
    title = s.rstrip() if inside else _without_credits(_without_remark(s)).rstrip()
    for group in () if whole else reversed([*GROUP.finditer(title)]):
        head = title[: group.start()].rstrip()
        if group.end() == len(title) and _tidy(head) and not head.endswith((" or", " and")):
            title = head
    return _tidy(title), None, False, _colon(s)


def _without_credits(s: str) -> str:
    s = SERIES.sub("", CREDITS.sub("", s))
    return BY_LINE.sub("", s) if " by " in s or " By " in s else s


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
