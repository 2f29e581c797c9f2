"""Answers as HTML: text stays text, whatever a model wrote."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from app.components.answer_html import advantage_colour, chips_of, coloured_text, side_by_side
from oracle.base.printable import visible

ROW = {
    "completion": 0, "rank": 1, "run_k": 20, "run_threshold": 0.66, "title": "Saw", "year": 2004, "start": 3, "end": 13, "imdb_id": "tt0387564",
    "match_method": "exact", "match_score": 1.0, "status": "unsafe", "unrated_traits": [], "violated_traits": ["Anti-gore / squeamish"], "evidence": [],
    "parts": [{"label": "safety", "value": -1.0}], "length_control": 0.0, "r_total": -1.0, "advantage": -1.5,
    "most": 1.5, "repeated": False, "seen": False, "sentence": "Rank 1, “Saw (2004)” …",
}  # fmt: skip
ANSWER = {
    "completion": 0, "generation": 0, "text": "1. Saw (2004)\n", "ended": True, "films": 1, "violations": 1, "hits": 0,
    "unresolved": 0, "unrated": 0, "reward": -1.0,
}  # fmt: skip


class Reader(HTMLParser):
    """Collects the text, and the tags with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags, self.attributes = "", [], []
        self.feed(str(page))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_the_characters_of_a_rank_are_coloured_by_its_advantage():
    page = coloured_text("1. Saw (2004)\n2. Up (2009)", [ROW])
    assert "1. <mark " in page and ">Saw (2004)</mark>\n2. Up (2009)</div>" in page
    assert "background:rgb(var(--orange) / 0.60)" in page
    assert 'title="rank 1: advantage −1.50, reward −1.00"' in page


def test_colours_grow_with_the_advantage_and_zero_has_none():
    assert advantage_colour(1.5, 1.5) == "rgb(var(--blue) / 0.60)"
    assert advantage_colour(-0.75, 1.5) == "rgb(var(--orange) / 0.34)"
    assert {advantage_colour(a, 1.5) for a in (0.0, None, 1e-17)} == {"transparent"}


def test_a_punished_rank_says_what_it_cost_and_which_trait_it_violates():
    assert chips_of(ROW) == [("−1.00 safety", "bad"), ("Anti-gore / squeamish", "bad")]
    nothing = {
        **ROW,
        "title": None,
        "parts": [{"label": "end of list", "value": -0.5}],
        "violated_traits": None,
        "match_method": None,
    }
    assert chips_of(nothing) == [("−0.50 end of list", "bad")]
    lost = {**ROW, "parts": None, "violated_traits": [], "match_method": None, "match_score": None, "seen": True}
    assert chips_of(lost | {"status": "unresolved"}) == [("? not found", "unknown"), ("seen", "quiet")]


def test_a_film_that_nobody_rated_says_so_in_words_and_a_colour_of_its_own():
    unrated = {**ROW, "parts": None, "violated_traits": [], "status": "unrated", "unrated_traits": ["Kid-safety"]}
    assert chips_of(unrated) == [("? not rated for Kid-safety", "unknown")]
    page = side_by_side([{**ANSWER, "violations": 0, "unrated": 1}], [unrated], None, False)
    assert "1 not rated" in page and 'class="chip unknown"' in page


def test_a_title_that_was_cut_off_is_not_told_as_nothing():
    lost = {**ROW, "title": None, "violated_traits": None, "parts": None, "sentence": "…"}
    shown = [str(side_by_side([ANSWER], [lost | {"start": start}], None, False)) for start in (3, None)]
    assert "cut off here" in shown[0] and "nothing here" in shown[1]


def test_a_risk_below_the_threshold_does_not_look_like_it():
    row = {
        **ROW,
        "run_threshold": 0.67,
        "evidence": [{"trait": "Kid-safety", "risk": 2 / 3, "severities": [], "hit_tags": []}],
    }
    assert Reader(side_by_side([ANSWER], [{**row, "imdb_id": None}], None, False)).text.endswith(
        "Kid-safety: risk 0.667"
    )


def test_a_film_beyond_the_last_rank_that_counts_is_marked():
    assert chips_of({**ROW, "parts": None, "rank": 21})[1:] == [("beyond rank 20, counts in no rate", "quiet")]


@given(
    text=st.text()
    | st.sampled_from(["<script>alert(1)</script>", "</div><img src=x onerror=alert(1)>", '" onload="x']),
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5),
)
def test_any_text_with_any_spans_is_shown_whole_and_as_text(text, spans):
    ranks = [{**ROW, "rank": i, "start": a, "end": b} for i, (a, b) in enumerate(spans)]
    page = Reader(coloured_text(text, ranks))
    assert page.text.replace("\r", "\n") == visible(text).replace("\r", "\n")
    assert set(page.tags) <= {"div", "mark"}
    assert {name for name, _ in page.attributes} <= {"class", "dir", "title", "style"}


@given(st.text(min_size=1))
def test_nothing_that_a_model_or_a_source_wrote_becomes_a_tag(hostile):
    hostile = f"</span><script>{hostile}</script>\"'><img src=x onerror=alert(1)>"
    row = {**ROW, "title": hostile, "violated_traits": [hostile], "sentence": hostile, "imdb_id": hostile}
    row["evidence"] = [
        {"trait": "other", "risk": 0.5, "hit_tags": [hostile], "severities": [hostile], "source": "tags"}
    ]
    page = Reader(side_by_side([{**ANSWER, "text": hostile}], [row], 1, as_text=False))
    assert not {"script", "img"} & set(page.tags)
    assert {name for name, _ in page.attributes} <= {
        "class", "dir", "title", "style", "open", "tabindex", "role", "aria-label",
    }  # fmt: skip
