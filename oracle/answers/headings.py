"""What a line says of the lines below it, or of the films in it: recommended, to be avoided, a draft, the final list.

"Avoid these:" is such a heading; "To avoid gore, here are five films:" is not, since what is avoided there is no film.
"""

import re
from enum import Enum

from oracle.answers.entry import lower_words

Role = Enum(
    "Role",
    [
        "NONE",
        "HEADING",  # ends a section, and says no more
        "AVOID",  # what stands below is not recommended
        "AVOIDED",  # what stands in the line itself is not
        "ASIDE",  # a plain line, some sentences of which name what is not
        "DRAFT",
        "FINAL",
        "FIELD",  # "Year: 2017": it tells more of a film that stands in another line
    ],
)

_THESE = (
    r"(?=\W*(?:$|[:(,.!;–—-]|(?:these|those|them|this|the\s+following|the\s+(?:films?|movies?|titles?)|watching|films?|movies?|titles?|candidates?|options|picks|choices|list|at\s"
    r"|entirely|completely|altogether|if|because|due|for|since|as|given|on\s+purpose|or|and|from\s+(?:the|this|my)\s+list)\b))"
)
NOT_RECOMMENDED = re.compile(
    rf"""\b(?:avoid|skip|steer\s+clear\s+of|stay\s+(?:away|clear)\s+(?:from|of)|beware\s+of|(?:do\s+not|don['’]?t)\s+watch|keep\s+away\s+from){_THESE}
    | \b(?:avoided|skipped|excluded|omitted|rejected|discarded|dropped|eliminated|removed|filtered\s+out|ruled\s+out
        |left\s+(?:out|off)
        |off[- ]limits|exclusions?|omissions?|skip\s+list|(?:already|previously)\s+(?:seen|watched)){_THESE}
    | \b(?:not|cannot|never|wouldn['’]?t|can['’]?t|don['’]?t|didn['’]?t|won['’]?t|aren['’]?t)\s+(?:\w+\s+){{0,2}}?
        (?:recommend(?:ed|ing)?|suitable|included?|appropriate|advised|suggest(?:ed)?|watch(?:ed)?|for\s+you|(?:a\s+)?good\s+(?:fit|match|choice)|make\s+(?:the|it|my)|pick(?:ed)?|choose|chosen){_THESE}
    | \b(?:unsuitable|inappropriate|unsafe|non-?recommendations?|no-?go|dishonou?rable){_THESE}
    | ^(?:(?:films|movies|titles|ones)\s+)?(?:that\s+)?you(?:['’]ve|\s+have)?\s+(?:already\s+)?
        (?:liked|seen|watched|loved|enjoyed|mentioned|rated)\W*$
    | ^don['’]?ts?\W*$
    | à\s+éviter|déconseill|vermeiden|nicht\s+empfohlen|evitar\b|no\s+recomend
    | 不推荐|避免|避ける|おすすめしない|избегать|не\s+рекоменд""",
    re.X | re.I,
)  # fmt: skip
_YET_RECOMMENDED = re.compile(
    r"\b(?:here\s+(?:are|is)|here['’]s|i(?:['’]d|\s+would|\s+can)?\s+(?:recommend|suggest|pick|choose|picked|chose)|try|instead\b(?!\s+of)"
    r"|enjoy|consider|my\s+(?:picks|list|recommendations)|you\s+(?:might|may|could|will)\s+(?:like|enjoy))\b",
    re.I,
)
_AVOIDED_IN_ENTRY = re.compile(
    r"[*_\"“]*(?:please\s+)?(?:(?:films|movies|titles|what|ones)\s+to\s+)?"
    r"(?:(?i:avoid(?:ed)?|skip(?:ped)?|(?:do\s+not|don['’]?t)\s+watch|not\s+recommended|stay\s+away\s+from|steer\s+clear\s+of|excluded|left\s+out|rejected)"
    r"[*_]*\s*(?:\([^()]*\)\s*)?[:：–—][*_]*|(?:[Aa]void|Stay away from|Steer clear of)\s+[\"“*_]*(?=[A-Z]))",
)
_I_AVOIDED = re.compile(
    r"\b(?:I(?:['’]ve| have| also)?\s+(?:left\s+out|excluded|avoided|skipped|omitted|ruled\s+out|removed"
    r"|rejected|dropped|passed\s+on)"
    r"|(?:[Aa]void|[Ss]kip|[Ss]tay away from|[Ss]teer clear of|(?:not|n['’]?t)\s+(?:recommend|include|suggest|watch))"
    r"\s+[\"“*_]*[A-Z])"
)
_ONLY_AVOIDS = re.compile(
    r"(?:(?:films|movies|titles|ones|what)\s+)?(?:to\s+)?(?:avoid(?:ed)?|skip(?:ped)?|not\s+recommended|excluded|left\s+out|rejected|omitted)"
    r"(?:\s+(?:these|those|list|films|movies|titles))*",
    re.I,
)
_TITLED_LINE = re.compile(r"[^.:;!]{1,80}\(\d{4}\)?")
_ANNOUNCES = re.compile(r"\b(?:these|those|following)\b", re.I)
_RECOMMENDED = re.compile(
    r"(?:(?:my|the|highly|safe|better|good)\s+)*(?:recommended|recommendations?|safe|picks|instead|alternatives|watch(?:\s+these)?|suggestions?)"
    r"(?:\s+(?:films|movies|titles|picks|list|instead|these))*",
    re.I,
)
_FINAL = re.compile(
    r"(?:final|finali[sz]ed|definitive|ultimate)\W+(?:\w+\W+){0,3}?(?:list|answers?|recommendations?|picks?|rankings?|selections?|choices?|version|output|response|results?|lineup)\b"
    r"|^final\W*$|^(?:the\s+)?(?:revised|corrected|updated)\W+(?:\w+\W+){0,2}?(?:list|answer|recommendations?|version)\b"
    r"|^(?:my\s+)?(?:final|actual)\s+(?:list|answer)\b",
    re.I,
)
_DRAFT = re.compile(
    r"^\W*(?:(?:my|the|a|some|here\s+is|here['’]s|first|rough|initial|early)\s+)*"
    r"(?:drafts?|brainstorm\w*|candidates?|longlist|rough\s+list|first\s+(?:pass|thoughts|ideas|attempt|list)|initial\s+(?:list|ideas|thoughts|picks|candidates)"
    r"|working\s+list|possible\s+candidates"
    r"|thinking(?:\s+process)?\W*$|reasoning\W*$|thought\s+process|analysis\W*$)",
    re.I,
)
_WORD = re.compile("[a-z]+")
# The first letters of the words that the patterns above look for, so that most lines need not be searched.
_BEGINNINGS = frozenset(
    re.findall(
        "[a-z]+",
        "avo ski wat sta ste kee bew off exc omi rej dis dro eli rem fil rul lef lim see rec sui "
        "inc app adv sug mak pic cho uns ina go "
        "non not don nev can wou did won are thi rea tho ana you fin def ult rev cor upd act dra "
        "bra lon rou fir ini wor pos saf ins alt",
    )
)
FIELD = re.compile(
    r"""[*_"]*(?:(?P<year>(?:(?:release[ds]?|premiere[ds]?|film|movie)[ _]?)?(?:year|date)|(?:year|date)[ _]of[ _]release
            |released?(?:[ _](?:in|on))?|premiered)
        |(?P<id>imdb(?:[ _]?(?:id|link|url))?|tconst|link|url|id)
        |genres?|rating|score|runtime|duration|director|directed\ by|cast|starring|stars|plot|synopsis|summary|description
        |why|reason|rank
        |country|language|safe|warnings?|content\ warnings?|triggers?|notes?|rated|mpaa(?:\ rating)?|tags?|themes?|confidence)
        [*_"]*\s*[:：=][*_]*\s*(?P<value>\S.*)|<?(?P<link>(?:https?://)?(?:www\.|m\.)?imdb\.com/title/\S+)$|[*_]*(?P<bare>[(\[]\d{4}[)\]])[*_]*$""",
    re.X | re.I,
)
_STANDS_ALONE = re.compile(r"[:：][*_]*$|^([*_]{1,3})\S.*\1$")
_DECORATION = ' \t*_#`>:：–—-=~•"“”[]'
_SENTENCES = re.compile(r"(?<=[.!?])[*_\"”]*\s+(?=[\"“*_]*\w)")
_DATED = re.compile(r"\(\d{4}")


def role_of(text: str, marked: bool = False, heading: bool = False) -> Role:
    """What the text of a line says; `marked`: it has a bullet or a number; `heading`: it has the mark of a heading."""
    if FIELD.match(text):
        return Role.FIELD
    bare = text.strip(_DECORATION)
    head = len(bare) <= 160 and not _DATED.search(bare) and (heading or bool(_STANDS_ALONE.search(text)))
    plain = Role.HEADING if head and not marked else Role.NONE
    if marked and not head:
        if _AVOIDED_IN_ENTRY.match(text):
            return Role.AVOIDED
        return Role.AVOID if _ONLY_AVOIDS.fullmatch(bare) else Role.NONE
    if "|" in bare or (bare.isascii() and _BEGINNINGS.isdisjoint(word[:3] for word in _WORD.findall(bare.lower()))):
        return plain
    label, _, behind = bare.partition(":")
    behind = behind.strip(_DECORATION)
    sentence = label.endswith((".", "!", "?"))
    if avoids(label) and not _DATED.search(label):
        if behind:
            return Role.AVOIDED
        if head or (label.count(" ") < 7 and not sentence) or _ANNOUNCES.search(label):
            return Role.AVOID
    titled = _TITLED_LINE.fullmatch(bare) and not lower_words(bare)  # "Rejected (2000)"
    if not marked and (_I_AVOIDED.search(bare) or (NOT_RECOMMENDED.search(bare) and not titled)):
        return Role.ASIDE
    if not sentence and not _DATED.search(label) and (head or label.count(" ") < 4):
        if len(label) <= 120 and _FINAL.search(label):
            return Role.FINAL
        if not behind and _DRAFT.match(label):
            return Role.DRAFT
    return Role.HEADING if _RECOMMENDED.fullmatch(bare) else plain


def avoids(text: str) -> bool:
    """Whether it names films as not recommended, and does not go on to recommend some."""
    found = NOT_RECOMMENDED.search(text)
    return bool(found) and not _YET_RECOMMENDED.search(text, found.end())  # type: ignore[union-attr]


def recommends(text: str) -> bool:
    return bool(_YET_RECOMMENDED.search(text) or _RECOMMENDED.match(text.strip(_DECORATION)))


def final_label(text: str) -> int:
    """How long the label is in "Final list: Coco (2017), Up (2009)"; 0 where nothing stands behind it."""
    _, _, behind = text.partition(":")
    return len(text) - len(behind.lstrip(_DECORATION)) if behind.strip(_DECORATION) else 0


def recommended_sentences(text: str) -> list[tuple[int, int]]:
    """Start and end of the sentences of a plain line that do not say what to avoid, neighbours joined."""
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*(m.end() for m in _SENTENCES.finditer(text)), len(text)]:
        sentence = text[start:end]
        dated = _DATED.search(sentence)
        before_films = sentence[: dated.start()] if dated else sentence
        if not (_AVOIDED_IN_ENTRY.match(sentence) or _I_AVOIDED.search(before_films) or avoids(before_films)):
            if spans and spans[-1][1] == start:
                start = spans.pop()[0]
            spans.append((start, end))
        start = end
    return spans
