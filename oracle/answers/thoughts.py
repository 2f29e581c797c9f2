"""The stretches of an answer that count: no thoughts, and only what stands inside answer tags where there are any.

"<think>1. Saw</think> Sure! <answer>1. Coco</answer>" counts from behind `<answer>` up to `</answer>`.

A thought that is never closed goes on to the end, unless an answer tag begins a line of it. One that is only closed was
opened in the prompt, so all before it is thought. gpt-oss writes channels instead ("analysis", then "final"), of which
the final one counts, with the markers of its format or, where a server has stripped them, only with their names.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

Span = tuple[int, int]

_THOUGHTS = (
    "(?:[a-z]{1,12}_)?(?:think|thinking|thoughts?|reasoning|monologue)",  # <inner_monologue>, <longcat_think>
    "reason",
    "reflection",
    "analysis",
    "scratch_?pad",
)
_ANSWERS = ("solution", "answer", "final", "final_?(?:answer|list)", "response", "recommendations?", "output")
_ASIDES = (
    "avoid",
    "avoided",
    "to_?avoid",
    "excluded?",
    "not_?recommended",
    "rejected",
    "left_?out",
    "unsafe",
    "skipped",
    "drafts?",
)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w*)(?:[^<\n]{0,80}(?:<\|constrain\|>\w*)?<\|message\|>)?|<\|(?:end|return|call|start)\|>"
)
_STRIPPED_FINAL = re.compile(r"assistant(?:commentary|analysis|final)|^assistant\s+final\s*$", re.M)
_STRIPPED_START = re.compile(r"\s*(?:assistant)?(analysis|commentary|final)(?=[A-Z0-9\"“'*#\[({<-]|\s*\n)")
_SUPERSEDED = re.compile(r"\b(?:wait|actually|instead|revis\w+|correct\w+|rather|final|updated?|better|hmm)\b", re.I)


def without_thoughts(text: str, thought_tags: Sequence[str] = ()) -> tuple[list[Span], bool]:
    """The stretches that count, in order, and whether they are the inside of answer tags."""
    if "<" not in text and "[" not in text and "◁" not in text:
        start = _behind_stripped_channels(text)
        return [(start, len(text))] if start < len(text) else [], False
    if "<|channel|>" in text:
        finals = _final_channels(text)
        nested = [_tagged(text, start, end, thought_tags) for start, end in finals]
        tagged = any(inside for _, inside in nested)
        return [span for spans, inside in nested if inside == tagged for span in spans], tagged
    return _tagged(text, _behind_stripped_channels(text), len(text), thought_tags)


@lru_cache(maxsize=64)
def _tags(thought_tags: tuple[str, ...]) -> re.Pattern[str]:
    """Matches any tag that matters: group 1 is "/" if it closes, and the name stands in a group of its kind."""
    named = [re.escape(tag.strip("<>[]/ ")) for tag in thought_tags]
    thoughts, answers, asides = ("|".join(names) for names in ([*_THOUGHTS, *named], _ANSWERS, _ASIDES))
    bracketed = "|".join(["(?-i:THINK|THINKING|THOUGHT|REASONING)", *named])
    return re.compile(
        rf"""[<◁](?P<close>/?)(?:\w{{1,12}}:)?(?:(?P<thought>{thoughts})|(?P<answer>{answers})|(?P<aside>{asides}))
             (?:\s[^<>\n]{{0,80}})?[>▷]
         |  <(?P<left>/?)(?P<element>movie|film|item|entry|show)(?:\s[^<>\n]{{0,200}})?>
         |  \[(?P<close4>/?)(?:(?P<thought4>{bracketed})|(?-i:(?P<answer4>ANSWER|SOLUTION)))\]
         |  <\|(?:start|begin|(?P<ends>end))_(?:of_)?(?:(?P<thought2>think\w*|thought\w*)|(?P<answer2>solution|response|answer))\|>
         |  <\|channel>(?P<thought3>\w*)|(?P<close3><channel\|>)""",
        re.X | re.I,
    )  # fmt: skip


def _tagged(text: str, start: int, end: int, thought_tags: Sequence[str]) -> tuple[list[Span], bool]:
    outside: list[Span] = []
    inside: list[Span] = []
    position = opened = start
    skipping, answering, tagged, element = "", False, False, False
    for tag in _tags(tuple(thought_tags)).finditer(text, start, end):
        if tag["element"]:
            element = not (tag["left"] or tag[0].endswith("/>"))
            continue
        kind, closes = _meaning(tag)
        if element and not skipping and tag["thought"]:  # <movie><title>Coco</title><reason>…</reason></movie>
            continue
        if (skipping and not (closes and kind == skipping)) or (kind == "aside" and closes and not skipping):
            continue
        mentioned = kind == "answer" and answering and not closes  # "I put it into <answer> tags: <answer>"
        if not skipping and not mentioned:
            if kind == "answer" and not answering and _SUPERSEDED.search(text, position, tag.start()):
                inside = []  # "<answer>…</answer> No, wait: <answer>…"
            (inside if answering else outside).append((position, tag.start()))
        if kind == "thought" and closes and not skipping:  # the prompt has opened it: all so far is thought
            outside, inside, answering, tagged = [], [], False, False
        position = tag.end()
        if kind == "answer":
            answering = not closes
            tagged = tagged or answering
        else:
            skipping, opened = ("", opened) if closes else (kind, tag.end())
    if skipping == "thought":
        late = _answer_in_unclosed_thought(text, opened, end, thought_tags)
        inside, tagged = [*inside, *late], tagged or bool(late)
    elif not skipping:
        (inside if answering else outside).append((position, end))
    return (inside if tagged else outside), tagged


def _meaning(tag: re.Match[str]) -> tuple[str, bool]:
    """What a tag encloses, "thought", "answer" or "aside", and whether it closes that."""
    found = tag.groupdict()
    thought = (
        found["thought"] or found["thought2"] or found["thought4"] or found["thought3"] is not None or found["close3"]
    )
    kind = "thought" if thought else "aside" if found["aside"] else "answer"
    return kind, bool(found["close"] or found["close4"] or found["ends"] or found["close3"])


def _answer_in_unclosed_thought(text: str, start: int, end: int, thought_tags: Sequence[str]) -> list[Span]:
    """What stands behind the last answer tag that begins a line, up to where it is closed."""
    opening = None
    for tag in _tags(tuple(thought_tags)).finditer(text, start, end):
        kind, closes = _meaning(tag)
        if kind == "answer":
            if closes:
                if opening is not None:
                    return [(opening, tag.start())]
            elif not text[text.rfind("\n", start, tag.start()) + 1 : tag.start()].strip():
                opening = tag.end()
    return [(opening, end)] if opening is not None else []


def _final_channels(text: str) -> list[Span]:
    spans, opened = [], None
    for mark in _CHANNEL.finditer(text):
        if opened is not None:
            spans.append((opened, mark.start()))
        opened = mark.end() if mark[1] and mark[1].lower() == "final" else None
    return spans if opened is None else [*spans, (opened, len(text))]


def _behind_stripped_channels(text: str) -> int:
    """Where the final channel begins, if the text is of channels without their markers; its length if it has none."""
    begins = _STRIPPED_START.match(text)
    if not begins and "assistant" not in text:
        return 0
    marks = [*_STRIPPED_FINAL.finditer(text)]
    finals = [mark.end() for mark in marks if mark[0].rstrip().endswith("final")]
    if finals:
        return finals[-1]
    if not begins:
        return 0
    return begins.end() if begins[1] == "final" else len(text)
