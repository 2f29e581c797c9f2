"""A normalised title is the same in Python and in SQL, whatever it is made of."""

import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import normalise
from oracle.titles.normalise import engine, fold
from oracle.titles.variants import half_keys, key_hashes, read_titles

WORDS = ["The", "A", "an", "of", "Part", "Vol.", "II", "iv", "V", "x", "Two", "colour", "Theatre", "Killer", "and", "&", "E.T.", "A.I.", "Movie",
         "Les", "L'", "Amélie", "ÆON", "Ночной", "줄탁", "½", "³", "10", "St", "Saint", "or", "aka", "Bram", "Stoker's", "O'Neill’s"]  # fmt: skip
MARKS = [" ", " ", " ", ": ", " - ", " (", ")", ", ", "/", ".", "!", "'", "", " or: ", " or (", "\n", "+"]
titles = st.one_of(
    st.lists(st.sampled_from(WORDS + MARKS), max_size=9).map("".join),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=20),
    # Letters newer than Python's Unicode tables are known to DuckDB alone.
    st.text(
        alphabet=st.sampled_from([*"aé: ", *map(chr, range(0x11F00, 0x11F60)), *map(chr, range(0x1E4D0, 0x1E500))]),
        max_size=20,
    ),
    st.text(alphabet=st.characters(codec="utf-8", max_codepoint=0x24F), max_size=20),
)


@pytest.mark.parametrize(
    ("title", "normalised"),
    [
        ("The Fast & the Furious, Part II", "fast furious pt 2"),
        ("Matrix, The", "matrix"),
        ("Teh Matrix", "matrix"),
        ("And", "and"),
        ("\u00a0$\u3000", "$"),
        ("\u2009", ""),
        ("E.T. the Extra-Terrestrial", "et extra terrestrial"),
        ("The A-Team", "a team"),
        ("V for Vendetta", "v for vendetta"),
        ("Rocky V", "rocky 5"),
        ("Star Wars: Episode IV - A New Hope", "star wars ep 4 a new hope"),
        ("Colour of the Théâtre", "color of theater"),
        ("Ocean’s Eleven", "oceans 11"),
        ("Twelve Monkeys", "12 monkeys"),
        ("8½", "8 1 2"),
        ("The", "the"),
        ("$", "$"),
        ("", ""),
        (None, None),
    ],
)
def test_a_title_is_normalised(title: str | None, normalised: str | None) -> None:
    assert normalise(pa.array([title], pa.string())).to_pylist() == [normalised]


@settings(max_examples=40, deadline=None)
@given(st.lists(titles.filter(lambda title: "\0" not in title), min_size=1, max_size=30))
def test_python_and_sql_agree_on_every_form_of_a_title(texts: list[str]) -> None:
    with engine().cursor() as cursor:
        in_sql = cursor.from_arrow(pa.table({"t": texts})).select(
            "fold_title(t), title_wording(t), normalise_title(t), title_key(t), without_foreign_article(normalise_title(t)),"
            " word_bag(normalise_title(t)), half_keys(title_key(t), 8), key_hash(title_key(t))"
        ).fetchall()  # fmt: skip
        cursor.register("texts", pa.table({"text": texts}))
        variants = {row[0]: row[1:] for row in cursor.sql("from title_variants('texts')").fetchall()}
    for title, row in zip(read_titles(texts), in_sql, strict=True):
        ours = (
            title.folded, title.wording, title.words, title.key, title.bare,
            title.bag, half_keys(title.key, 8), int(key_hashes([title.key])[0]),
        )  # fmt: skip
        assert ours == row
        if title.words:
            short = title.short_keys()
            forms = (
                title.words,
                title.wording,
                title.key,
                sorted(short, key=str.encode),
                sorted(set(short.values()), key=str.encode),
            )
            assert forms == variants[title.text]


def test_what_is_remembered_of_folded_titles_is_bounded_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    titles = ["Amélie", "Ночной дозор", "Amélie", "Heat", "東京物語", "Niño", "Žižek", "Ångström"]
    expected = fold(titles)
    remembered: dict[str, str] = {}
    module = sys.modules["oracle.titles.normalise"]
    monkeypatch.setattr(module, "FOLDED", remembered)
    monkeypatch.setattr(module, "REMEMBERED", 3)
    for size in (2, 1, 8, 3, 8):
        assert fold(titles[:size]) == expected[:size]
        assert len(remembered) <= 3
    assert remembered.keys() == {"Amélie", "Ночной дозор"}
