"""The short way through lists of one film a line finds exactly what the long way finds."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oracle import parse_batch, parse_recommendations
from oracle.answers.parse import _entries
from oracle.answers.simple_lists import simple_lists

REAL = Path(__file__).parents[4] / "shared" / "realdata" / "llm_completions.jsonl"
LINES = [
    "", " ", "1. Alien (1979)", "2. The Thing", "3) Up (2009) - a house flies", "  4. Saw (2004)", "- Heat (1995)",
    "Here are films that you might enjoy:", "Sure! 1. Alien", "0. Zero (2000)", "1. Mai (2008)", "| Alien | 1979 |",
    "5. What is your favorite movie?", "6. A (1999) 7. B (2000)", "(500) Days of Summer", "[1] Alien (1979)", "> 1. Up",
    "**1. Alien (1979)**", "1. **Alien** (1979)\r", "1.", "2. …", "## 3. Heat", "<solution>", "</solution>", "```json",
    '["Alien"]', "   [Alien]", "12. 12 Angry Men (1957)", "1. " + "A" * 500, "Enjoy!", "Airplane! (1980)", "1 Alien 1979",
    "１．Alien (1979)", "1. Al\x85ien", "7. Amélie (2001)  ", "Movie: 1. Up", "999. Big (1988)", "•", "1. 2. 3.",
]  # fmt: skip


def short_way(text: str) -> list[tuple[int, int, str, int | None]] | None:
    """Start, end, title and year of each entry; None if the text goes the long way."""
    lists = simple_lists([text])
    columns = (lists.start.tolist(), lists.end.tolist(), lists.titles(), [y or None for y in lists.year.tolist()])
    return [*zip(*columns, strict=True)] if lists.simple[0] else None


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=12)), max_size=9).map("\n".join))
@example("1. Alien (1979)\n2. Up (2009)")
@example("\n \n1. Mai (2008)\nAlien (1979)\nUp (2009)\nHeat (1995)\nBig (1988)")
@settings(max_examples=400, deadline=None)
def test_it_finds_what_the_long_way_finds_or_leaves_it_to_it(text):
    short = short_way(text)
    assert short is None or short == [entry[:4] for entry in _entries(text)]


# What tempts a reader of columns: all that oracle.answers.entry and oracle.answers.select would cut, count, or take for talk.
PIECES = [
    "The", "Alien", "X-Men", "of", "you", "your", "like", "try", "watch", "such as", "film", "movies", "and", "a", "vs.",
    "Movie:", "film:", "Title 3:", "Mission: Impossible", "for you: A", "Dr. No", "No. 5", "No.", "dir. Ford", "Ford", "3D", "3x", "T2",
    "directed by Ford", "starring Bo", "featuring Bo", ", a film", ", with love", ", The", "1.", "2)", "Vol. 2", "3.5",
    "12", "2001", "1", "'Tis", "Ocean's", "’90s", "É", "ß", "ª", "Ночь", "七人", "½", "&", "+", "/", "-", "–", "…", "Oh!",
    "Why?", "Inc.", "(TV)", "[a]", '"', "*", "  ", "\t", "\u200b", "\ud800", "\x00", "\x85", "\x1c", "\r", "|", "<b>",
]  # fmt: skip
line = st.builds(
    lambda marker, words, end: marker + " ".join(words) + end,
    st.sampled_from(["", "", "", "1. ", "2. ", "3) ", "10. ", "0. ", "007. ", "1.", "1.  ", " 1. ", "- ", "## ", "a) ", "(1) ", "№ 1 ", "1 "]),
    st.lists(st.sampled_from(PIECES), max_size=4),
    st.sampled_from([" (1979)"] * 6 + [" (1869)", " (2036)", "(1979)", " [1979]", " (1979).", " (1979) ", " (19790)", " (197)", " ()", ""]),
)  # fmt: skip


@given(st.lists(line, min_size=1, max_size=5).map("\n".join))
@settings(max_examples=2000, deadline=None)
@example("1. Alien (1979)\n12 Angry Men (1957)")
@example("like The (1979)")
@example("12 Angry Men (1957)\n1 Night (2016)")
@example("Alien (1979\x1c\nDie Hard 2\nHeat (1995)")
def test_no_title_reads_otherwise_as_one_of_many(text):
    short = short_way(text)
    assert short is None or short == [entry[:4] for entry in _entries(text)]


FORMS = ["{title} ({year})", "{k}. {title} ({year})", "{k}) {title}", '"{title}" ({year})', "{title} - {year}"]
TITLES = REAL.parent / "titles.parquet"


@pytest.mark.skipif(not TITLES.exists(), reason=f"the film index is not here: {TITLES}")
@pytest.mark.parametrize("form", FORMS)
def test_the_titles_of_a_film_index_read_the_same_both_ways_and_nearly_all_go_the_short_one(form):
    films = pq.read_table(TITLES, columns=["title", "year"]).to_pylist()
    texts = ["\n".join(form.format(k=k, **f) for k, f in enumerate(films[i : i + 5], 1)) for i in range(0, 20_000, 5)]
    short = [short_way(text) for text in texts]
    assert all(s is None or s == [e[:4] for e in _entries(t)] for s, t in zip(short, texts, strict=True))
    assert sum(s is not None for s in short) > 0.98 * len(texts) or form == "{title} - {year}"


def test_lists_with_and_without_numbers_go_the_short_way():
    text = 'Here are films:\n\nAlien (1979)\n"8½" (1963)\nMission: Impossible (1996)\n\n'
    assert short_way(text) == [(17, 29, "Alien", 1979), (30, 41, "8½", 1963), (42, 68, "Mission: Impossible", 1996)]
    assert short_way("") == short_way("I can help you with movies.") == []
    assert short_way("Heat\n\nAlien (1979)\nHeat\nUp\n\nBig") == [
        (6, 18, "Alien", 1979), (19, 23, "Heat", None), (24, 26, "Up", None),
    ]  # fmt: skip
    assert short_way("Heat\nUp") is short_way("Alien (1979)\nHeat!") is None  # two films? and is the end one, or a cry?
    text = "Here are films:\n\n1. Alien (1979)\n2. Amélie\n\nEnjoy!"
    assert short_way(text) == [(17, 32, "Alien", 1979), (33, 42, "Amélie", None)]
    assert [(r.rank, text[r.start : r.end]) for r in parse_recommendations(text)] == [
        (1, "1. Alien (1979)"), (2, "2. Amélie"),
    ]  # fmt: skip


@pytest.mark.skipif(not REAL.exists(), reason=f"the real answers are not here: {REAL}")
def test_real_answers_read_the_same_both_ways_and_most_go_the_short_one():
    texts = [json.loads(line)["text"] for line in REAL.read_text().splitlines()]
    short = [short_way(text) for text in texts]
    assert all(s is None or s == [e[:4] for e in _entries(t)] for s, t in zip(short, texts, strict=True))
    assert sum(s is not None for s in short) > 0.5 * len(texts)


def test_a_batch_holds_the_entries_of_each_text_in_order():
    texts = ["1. Alien (1979)\n2. Up", "no film here, sorry", "- Heat (1995)", "", "1. Big"]
    rows = parse_batch(texts).to_pylist()
    assert [(r["completion"], r["rank"], r["title"], r["year"], texts[r["completion"]][r["start"] : r["end"]]) for r in rows] == [
        (0, 1, "Alien", 1979, "1. Alien (1979)"), (0, 2, "Up", None, "2. Up"), (2, 1, "Heat", 1995, "- Heat (1995)"),
        (4, 1, "Big", None, "1. Big"),
    ]  # fmt: skip
    assert parse_batch([]).schema == parse_batch(texts).schema
