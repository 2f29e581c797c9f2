"""Properties of parsing that hold for every answer: what it returns, where, how fast, and that it never fails."""

import json
import time

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oracle import parse_batch, parse_recommendations


def films(text: str) -> list[tuple[str, int | None]]:
    return [(r.title, r.year) for r in parse_recommendations(text)]


ALIEN, HEAT, UP = ("Alien", 1979), ("Heat", 1995), ("Up", 2009)
alien, heat, up = ("Alien", None), ("Heat", None), ("Up", None)


def test_ranks_and_spans_tell_which_characters_name_which_film():
    text = (
        "Sure!\r\n\r\n 1. **Alien** (1979) - scary  \r\n"
        "\t2) \u200fHeat\u200f\r\n   A heist.\r\n7. Up (2009)\r\nBye (2020)."
    )
    found = parse_recommendations(text)
    assert [(r.rank, text[r.start : r.end]) for r in found] == [
        (1, "1. **Alien** (1979) - scary"),
        (2, "2) \u200fHeat\u200f"),
        (3, "7. Up (2009)"),
    ]
    assert [(r.title, r.year) for r in found] == [ALIEN, heat, UP]


def test_entries_on_one_line_have_spans_of_their_own():
    numbered = "Here: 1. Alien (1979), 2. Heat (1995) 3. Up"
    assert [numbered[r.start : r.end] for r in parse_recommendations(numbered)] == [
        "1. Alien (1979)",
        "2. Heat (1995)",
        "3. Up",
    ]
    chained = "Some films for you: Alien (1979), Heat (1995), and Up (2009)."
    assert [chained[r.start : r.end] for r in parse_recommendations(chained)] == [
        "Alien (1979)",
        "Heat (1995)",
        "Up (2009)",
    ]
    inside = "1. Two films about space: Alien (1979), Heat (1995)\n2. Up"
    assert [inside[r.start : r.end] for r in parse_recommendations(inside)] == [
        "1. Two films about space: Alien (1979)",
        "Heat (1995)",
        "2. Up",
    ]


def test_years_that_no_film_can_have_are_null():
    assert films("1. A (1869)\n2. B (1870)\n3. C (2035)\n4. D (2036)") == [
        ("A", None),
        ("B", 1870),
        ("C", 2035),
        ("D", None),
    ]


# Properties. Titles are made of pieces that tempt a parser: numbers, brackets, dashes, small words, other scripts.
CAPITAL = [
    "The",
    "Night",
    "Dead",
    "X-Men",
    "O'Clock",
    "M*A*S*H",
    "8½",
    "1984",
    "3",
    "Ночь",
    "七人の侍",
    "Élan",
    "Mr.",
    "Days!",
]
word = st.sampled_from([*CAPITAL, "of", "the", "vs.", "and", "&"])
phrase = st.builds(lambda first, rest: " ".join([first, *rest]), st.sampled_from(CAPITAL), st.lists(word, max_size=4))
title = st.one_of(phrase, st.tuples(phrase, st.sampled_from([": ", " - ", ", "]), phrase).map("".join))
clear_title = title.filter(lambda t: not t.endswith((", 1984", " - 1984")))  # without a year, that would be one
hard_title = st.one_of(
    title,
    st.sampled_from(
        ["(500) Days of Summer", "Birdman or (The Unexpected Virtue of Ignorance)", "2001: A Space Odyssey"]
    ),
    st.tuples(phrase, st.sampled_from([" (Part 2)", " or (Not)", "... And", " - the", ": a tale of"])).map("".join),
)
year = st.integers(1870, 2035)
dated_films = st.lists(st.tuples(hard_title, year), min_size=1, max_size=25)

DATED = {
    "dots": lambda k, t, y: f"{k}. {t} ({y})",
    "brackets": lambda k, t, y: f"{k}) {t} ({y})",
    "double brackets": lambda k, t, y: f"({k}) {t} ({y})",
    "bold": lambda k, t, y: f"{k}. **{t}** ({y})",
    "bold with year": lambda k, t, y: f"**{k}. {t} ({y})**",
    "quotes": lambda k, t, y: f'{k}. "{t}" ({y})',
    "guillemets": lambda k, t, y: f"{k}. «{t}» ({y})",
    "remark": lambda k, t, y: f"{k}. {t} ({y}) - a film, made with 2. thoughts",
    "director": lambda k, t, y: f"{k}. {t} ({y}, dir. Jane Doe)",
    "bullets": lambda k, t, y: f"- {t} ({y})",
    "dots and tab": lambda k, t, y: f"{k}.\t{t}\t({y})",
    "heading": lambda k, t, y: f"### {k}. {t} ({y})\n\nIt is good.\n",
    "remarks below": lambda k, t, y: f"{k}. {t} ({y})\n   - Why: you like films\n   - Like: Jaws (1975)",
    "table": lambda k, t, y: f"| {k} | {t} | {y} |",
    "plain": lambda k, t, y: f"{t} ({y})",
    "square": lambda k, t, y: f"{k}. {t} [{y}]",
}
UNDATED = {
    "dots": lambda k, t: f"{k}. {t}",
    "brackets": lambda k, t: f"{k}) {t}",
    "bold": lambda k, t: f"**{k}.** **{t}**",
    "quotes": lambda k, t: f'{k}. "{t}"',
    "bullets": lambda k, t: f"* {t}",
    "blank lines": lambda k, t: f"{k}. {t}\n",
}
AROUND = st.sampled_from(
    [
        ("", ""),
        ("Sure! Here are some films that you might like:\n\n", "\n\nI hope you enjoy them!"),
        ("<think>1. Jaws (1975)</think>\n<solution>", "</solution> Enjoy Jaws (1975)!"),
        ("User: I liked Jaws (1975).\nSystem: Great choice! ", "\n\nLet me know if you have seen Jaws (1975)."),
    ]
)
line_break = st.sampled_from(["\n", "\r\n"])


@settings(max_examples=300, deadline=None)
@given(dated_films, st.sampled_from(sorted(DATED)), AROUND, line_break)
def test_any_list_with_years_parses_back(expected, style, around, line_break):
    body = "\n".join(DATED[style](k, *film) for k, film in enumerate(expected, 1))
    text = (around[0].rstrip(" ") + ("\n" if around[0] else "") + body + around[1]).replace("\n", line_break)
    assert films(text) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(clear_title, min_size=1, max_size=25), st.sampled_from(sorted(UNDATED)), AROUND, line_break)
def test_any_list_without_years_parses_back(titles, style, around, line_break):
    body = "\n".join(UNDATED[style](k, t) for k, t in enumerate(titles, 1))
    text = (around[0].rstrip(" ") + ("\n" if around[0] else "") + body + around[1]).replace("\n", line_break)
    assert films(text) == [(t, None) for t in titles]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(phrase, year), min_size=3, max_size=25), st.sampled_from([" ", ", ", "; "]))
def test_any_numbered_list_on_one_line_parses_back(expected, between):
    assert films(between.join(f"{k}. {t} ({y})" for k, (t, y) in enumerate(expected, 1))) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(clear_title, st.none() | year), min_size=1, max_size=25), st.booleans())
def test_any_json_parses_back(expected, pretty):
    assert films(json.dumps([{"title": t, "year": y} for t, y in expected], indent=2 if pretty else None)) == expected


@settings(max_examples=200, deadline=None)
@given(dated_films, st.sampled_from(["dots", "bold", "remark", "remarks below", "square"]), st.integers(0, 10_000))
def test_cutting_off_a_numbered_list_leaves_the_complete_entries_as_they_were(expected, style, cut):
    text = "Films that you may like:\n" + "\n".join(DATED[style](k, *film) for k, film in enumerate(expected, 1))
    whole, cut = parse_recommendations(text), cut % (len(text) + 1)
    complete = [r for r in whole if r.end < cut]
    assert parse_recommendations(text[:cut])[: len(complete)] == complete


FRAGMENTS = [
    "Alien (1979)", "Heat", "1. **Up** (2009) - sad", "What is your favorite movie?", "Some films for you: A, B and C.",
    "\n", "\n", "\r\n", " ", "1. ", "2. ", "- ", "* ", "• ", "(", ")", "[", "]", "](", "**", '"', "“", "'", "{", "}",
    "\\", '{"title": "', '["', "|", "<", "<think>", "</think>", "<solution>", "</solution>", "(19", "(1979)",
    ": ", " - ", ", ", "; ", "1️⃣", "①", "🎬", "\u200f", "\ud800", "\x00", "\u2028", "#", "> ", "| a\n",
    "```json\n", "２．", "『", "Avoid:\n", "Avoid Saw (2004).", "Final list: ", "Draft:\n", "Title: Coco\n", "Year: 2017\n", "title,year\n",
    "Coco,2017\n", "tt2380307", "https://www.imdb.com/title/tt2380307/", "2017: ", " 2017", "II. ", "B. ", "Rank 2: ", "<movie><title>", "</title>",
    "<year>2017</year>", "<movie title='", "<|channel|>final<|message|>", "<|end|>", "assistantfinal", "analysis", "[THINK]", "[/THINK]", "<answer>",
    "</answer>", '{"avoid": [', '"year": 9999', ": 2017", "[('", "99" * 200, " by Andy Weir", "Horror movie", "|---|\n",
]  # fmt: skip
anything = st.one_of(st.text(st.characters()), st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))


@settings(max_examples=500, deadline=None)
@given(anything)
@example('["\x08"2000')
@example("TITLE,YEAR\r[0,2000")
@example('{"0":[]2000:2000')
def test_any_text_gives_ordered_spans_that_hold_their_titles(text):
    position = 0
    for rank, r in enumerate(parse_recommendations(text), 1):
        assert r.rank == rank
        assert position <= r.start < r.end <= len(text)
        position = r.end
        assert r.title and r.title == r.title.strip()
        assert r.year is None or 1870 <= r.year <= 2035
        if "\\" not in text:  # JSON may write é as an escape
            left = iter(text[r.start : r.end])
            assert all(character in left for character in r.title), "the title's characters in this order"


@settings(max_examples=200, deadline=None)
@given(st.lists(anything, max_size=6))
def test_a_batch_is_its_texts_one_by_one(texts):
    table = parse_batch(texts)
    assert table.schema == pa.schema(
        {
            "completion": pa.int32(),
            "rank": pa.int16(),
            "title": pa.string(),
            "year": pa.int16(),
            "start": pa.int32(),
            "end": pa.int32(),
            "given_id": pa.string(),
        }
    )
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (i, r.rank, r.title, r.year, r.start, r.end, r.given_id)
        for i, text in enumerate(texts)
        for r in parse_recommendations(text)
    ]


HOSTILE = [
    "(", "[", "[a](", "(1999", "1. ", "1.", "9", "*", "**a", '"', "“", "'a ", "\\", '["', '{"title":"', "{", "| ",
    "<think>", "<solution>1. A\n", " - ", ": ", ", A", "; A", " ", "\n", "1. A (1999) ", "A (1999), ", "• A ", "1️⃣",
    "\u200f", "字", "A\n", "(1999) ", "Here: 1. ", "lower: A, B, C. ", "<answer>", "</think>", "<movie><title>", "<|channel|>final<|message|>",
    "assistantfinal", "Avoid:\n", "Avoid A. ", "Final list:\n", "Title: A\n", "Year: 2017\n", "a,b\n", "tt2380307 ", "https://a ", " by A B", "II. ",
    ':[[]]', '{"a":{', ",[('a'", "<a>", "|\n", "horror, ", "not a ",
]  # fmt: skip


@pytest.mark.parametrize("before", ["", "1. ", "<solution>", "Some films for you: "])
def test_time_grows_linearly_with_hostile_text(before):
    for unit in HOSTILE:
        text = before + unit * (100_000 // len(unit))
        start = time.thread_time()
        parse_recommendations(text)
        assert time.thread_time() - start < 3, repr(unit)  # some 0.1 s; quadratic time takes minutes


def test_ranks_beyond_the_column_type_are_left_out():
    assert parse_batch(["1.A\n" * 40_000]).num_rows == 2**15 - 1
