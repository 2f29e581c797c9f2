"""The short way through plain numbered lists finds exactly what the long way finds."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oracle import parse_batch, parse_recommendations
from oracle.lines import plain_lists
from oracle.parsing import _entries

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "llm_completions.jsonl"
LINES = [
    "", " ", "1. Alien (1979)", "2. The Thing", "3) Up (2009) - a house flies", "  4. Saw (2004)", "- Heat (1995)",
    "Here are films that you might enjoy:", "Sure! 1. Alien", "0. Zero (2000)", "1. Mai (2008)", "| Alien | 1979 |",
    "5. What is your favorite movie?", "6. A (1999) 7. B (2000)", "(500) Days of Summer", "[1] Alien (1979)", "> 1. Up",
    "**1. Alien (1979)**", "1. **Alien** (1979)\r", "1.", "2. …", "## 3. Heat", "<solution>", "</solution>", "```json",
    '["Alien"]', "   [Alien]", "12. 12 Angry Men (1957)", "1. " + "A" * 500, "Enjoy!", "Airplane! (1980)", "1 Alien 1979",
    "１．Alien (1979)", "1. Al\x85ien", "7. Amélie (2001)  ", "Movie: 1. Up", "999. Big (1988)", "•", "1. 2. 3.",
]  # fmt: skip


def plain_list(text: str) -> list[tuple[int, int, str, int | None]] | None:
    """Start, end, title and year of each entry; None if the text goes the long way."""
    plain, [films], starts = plain_lists([text])
    return [(s, s + n, t, y) for s, (n, t, y) in zip(starts.tolist(), films, strict=True)] if plain[0] else None


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=12)), max_size=9).map("\n".join))
@example("1. Alien (1979)\n2. Up (2009)")
@example("\n \n1. Mai (2008)\nAlien (1979)\nUp (2009)\nHeat (1995)\nBig (1988)")
@settings(max_examples=400, deadline=None)
def test_it_finds_what_the_long_way_finds_or_leaves_it_to_it(text):
    short = plain_list(text)
    assert short is None or short == [entry[:4] for entry in _entries(text)]


def test_a_plain_numbered_list_goes_the_short_way():
    text = "Here are films:\n\n1. Alien (1979)\n2. Amélie\n\nEnjoy!"
    assert plain_list(text) == [(17, 32, "Alien", 1979), (33, 42, "Amélie", None)]
    assert [(r.rank, text[r.start : r.end]) for r in parse_recommendations(text)] == [
        (1, "1. Alien (1979)"), (2, "2. Amélie"),
    ]  # fmt: skip


@pytest.mark.skipif(not REAL.exists(), reason=f"the real answers are not here: {REAL}")
def test_real_answers_read_the_same_both_ways_and_most_go_the_short_one():
    texts = [json.loads(line)["text"] for line in REAL.read_text().splitlines()]
    short = [plain_list(text) for text in texts]
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
