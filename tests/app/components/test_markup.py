"""The pieces of HTML: whatever goes into one is text, and stays where it was put."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from app.components.markup import _PIECES, piece
from oracle.base.printable import visible

DIRECTION_OVERRIDES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HOSTILE = (
    "<script>alert(1)</script>", "</p></div><img src=x onerror=alert(1)>", "\" onmouseover='alert(1)", "&lt;b&gt;", "{{ 7 * 7 }}",
    "\u202egnp.exe", "\x1b[31m", "]]><!--",
)  # fmt: skip
RANK = {"rank": 1, "is_chosen": True, "is_cut_off": False, "colour": "transparent", "advantage": "+1.00"}


def pieces(text: str) -> dict[str, tuple]:
    """Arguments of each piece, with `text` wherever somebody else's text can stand."""
    entry = {"trait": text, "risk": text, "severities": text, "tags": text}
    return {
        "foreign": (text,), "headline": (text, text, text), "section": (text, text), "tiles": ([(text, text, text, "better")],),
        "legend": ([("#000000", text)],), "state": ("error", text, text, text, False), "finding": (text,), "about": (text,),
        "chip": (text, "bad"), "label": (text,), "prompt": (text,), "request": (text, [text], ""), "candidate": (text, text), "decision": (text, text),
        "advantage_scale": (), "answers": ([{"name": text, "reward": text, "facts": text, "body": text}],),
        "rank": ({**RANK, "title": text, "chips": [(text, "bad")], "sentence": text, "evidence": [entry], "imdb_id": text},),
        "written": ([(text, None, ""), (text, "transparent", text)],),
    }  # fmt: skip


class Reader(HTMLParser):
    """Collects the tags with the names of their attributes, and the text."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple] = []
        self.said = ""
        self.feed(str(page))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag):
        self.tags.append((f"/{tag}",))

    def handle_comment(self, data):
        self.tags.append(("comment",))

    def handle_data(self, data):
        self.said += data


def test_every_piece_is_tried():
    assert pieces("").keys() == {name for name in vars(_PIECES) if not name.startswith("_")}


@pytest.mark.parametrize("name", pieces(""))
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_changes_no_tag_and_no_attribute_of_a_piece_and_is_shown_whole(name, text):
    page, plain = Reader(piece(name, *pieces(text)[name])), Reader(piece(name, *pieces("plain")[name]))
    assert page.tags == plain.tags
    assert page.said == plain.said.replace("plain", visible(text))


@given(st.text())
def test_untrusted_text_never_becomes_markup_and_never_turns_what_stands_around_it(text):
    inside = re.fullmatch(r'<bdi dir="auto">(.*)</bdi>', piece("foreign", text), re.DOTALL)
    assert inside and not re.search("[<>\"']", inside[1])
    assert not set(inside[1]) & set(DIRECTION_OVERRIDES)
    assert unescape(inside[1]) == visible(text)


def test_a_value_that_is_missing_is_an_error_and_no_blank():
    with pytest.raises(UndefinedError, match="sentence"):
        piece("rank", {**RANK, "title": "Up", "chips": []})


def test_no_html_is_built_outside_of_the_pieces():
    from tests.docs.pages import REPOSITORY

    for file in (REPOSITORY / "app").rglob("*.py"):
        text = file.read_text()
        assert "html.escape" not in text and not re.search(r"<(p|div|span|b|h\d|bdi)\b", text), file
        if file.name not in ("markup.py", "style.py", "answer.py", "models.py"):
            assert "st.html(" not in text, file
