"""Lists that are read in one go are read as the steps read them."""

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oracle.answers.quick import quick_list
from tests.benchmarks.fuzz_answers import PIECES, difference, random_lines

REAL = Path(__file__).parents[4] / "shared" / "realdata"


def test_random_lists_read_the_same_both_ways():
    choose = random.Random(7).choice
    texts = ["\n".join(random_lines(choose)) for _ in range(3000)]
    assert not [(text, found) for text in texts if (found := difference(text))]
    assert sum(quick_list(text) is not None for text in texts) > 100


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "1. ", "2) "]), st.lists(st.sampled_from(PIECES), min_size=1, max_size=3)),
        min_size=1,
        max_size=4,
    )
)
@example([("1. ", ["Alien"]), ("", ["Genre: Otto"])])
@settings(max_examples=500, deadline=None)
def test_no_title_reads_otherwise_in_a_list(lines):
    text = "\n".join(f"{number}{' '.join(words)} (1979)" for number, words in lines)
    assert not difference(text)


def test_plain_and_numbered_lists_are_read_in_one_go():
    numbered = (
        "Here are films:\n\n1. Alien (1979)\n2. Mission: Impossible - Fallout (2018)\n3. Amélie (2001)\n4. The Th"
    )
    assert [(e.title, e.year) for e in quick_list(numbered) or []] == [
        ("Alien", 1979), ("Mission: Impossible - Fallout", 2018), ("Amélie", 2001), ("The Th", None),
    ]  # fmt: skip
    assert [(e.start, e.end, e.title) for e in quick_list("Alien (1979)\nThe Thing (1982)\nUp") or []] == [
        (0, 12, "Alien"), (13, 29, "The Thing"), (30, 32, "Up"),
    ]  # fmt: skip


def test_titles_that_begin_like_a_label_are_read_in_one_go():
    films = ["North Country (2005)", "Nope (2022)", "Topaz (1969)", "Nameless Gangster (2012)"]
    assert [f"{e.title} ({e.year})" for e in quick_list("\n".join(films)) or []] == films


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Alien",
        "Final Picks: Comedy (1979)",
        "No. 5 (1979)\nUp (2009)",
        "Picks: Up (2009)",
        "- Alien (1979)",
        "1. Alien (1979)\nAvoid:\n2. Saw (2004)",
        "Alien (1979)\nFinal list:\nUp (2009)",
    ],
)
def test_what_hangs_together_is_left_to_the_steps(text):
    assert quick_list(text) is None


@pytest.mark.skipif(not REAL.exists(), reason=f"the real data are not here: {REAL}")
@pytest.mark.parametrize("form", ["{title} ({year})", "{k}. {title} ({year})", "{k}) {title}"])
def test_the_titles_of_a_film_index_read_the_same_both_ways(form):
    films = pq.read_table(REAL / "titles.parquet", columns=["title", "year"]).to_pylist()[:20_000]
    texts = [
        "\n".join(form.format(k=k, **f) for k, f in enumerate(films[i : i + 3], 1)) for i in range(0, len(films), 3)
    ]
    assert not [text for text in texts if difference(text)]


@pytest.mark.skipif(not REAL.exists(), reason=f"the real data are not here: {REAL}")
def test_real_answers_read_the_same_both_ways():
    texts = [json.loads(line)["text"] for line in (REAL / "llm_completions.jsonl").read_text().splitlines()]
    assert not [text for text in texts if difference(text)]
