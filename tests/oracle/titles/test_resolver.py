"""Titles and years find their films: every stage, the rule of years, and what must not be found."""

from pathlib import Path

import pyarrow as pa
import pytest

from oracle import Oracle, build_store, create_oracle


def found(oracle: Oracle, title: str | None, year: int | None) -> tuple:
    row = oracle.resolve(
        pa.table({"title": pa.array([title], pa.string()), "year": pa.array([year], pa.int16())})
    ).to_pylist()[0]
    return row["imdb_id"], row["match_method"]


@pytest.mark.parametrize(
    ("title", "year", "imdb_id", "method"),
    [
        ("Saw", 2004, "tt0000001", "exact"),
        ("saw", 2004, "tt0000001", "normalised"),
        ("SAW!", 2004, "tt0000001", "normalised"),
        ("Saw 2", 2005, "tt0000002", "normalised"),
        ("Saw Two", 2005, "tt0000002", "normalised"),
        ("Rocky 5", 1990, "tt0000023", "normalised"),
        ("Les Miserables", 2012, "tt0000007", "normalised"),
        ("Misérables, Les", 2012, "tt0000007", "normalised"),
        ("Miserables", 2012, "tt0000007", "normalised"),
        ("Color of Money, The", 1986, "tt0000008", "normalised"),
        ("Spiderman", 2002, "tt0000011", "normalised"),
        ("Fast & Furious", 2001, "tt0000018", "normalised"),
        ("Coffee, Cigarettes", 2003, "tt0000021", "normalised"),
        ("Teh Colour of Money", 1986, "tt0000008", "normalised"),
        ("Saw 3-D", 2004, "tt0000001", "subtitle"),
        ("AI Artificial Intelligence", 2001, "tt0000024", "normalised"),
        ("НОЧНОЙ ДОЗОР", 2004, "tt0000016", "normalised"),
        ("Sen to Chihiro no Kamikakushi", 2001, "tt0000013", "alternative"),
        ("Birdman", 2014, "tt0000009", "subtitle"),
        ("The Unexpected Virtue of Ignorance", 2014, "tt0000009", "subtitle"),
        ("Garfield", 2004, "tt0000010", "subtitle"),
        ("Inception: The Dream Is Real", 2010, "tt0000012", "subtitle"),
        ("Dracula", 1992, "tt0000020", "subtitle"),
        ("Kill Bill", 2003, "tt0000014", "subtitle"),
        ("Inceptoin", 2010, "tt0000012", "fuzzy"),
        ("Inceptionn", 2010, "tt0000012", "fuzzy"),
        ("nception", 2010, "tt0000012", "fuzzy"),
        ("Cigarettes and Coffee", 2003, "tt0000021", "fuzzy"),
    ],
)
def test_a_title_is_found_at_its_stage(small_oracle: Oracle, title: str, year: int, imdb_id: str, method: str) -> None:
    assert found(small_oracle, title, year) == (imdb_id, method)


@pytest.mark.parametrize(
    ("title", "year"),
    [
        ("Saw", 2007),  # three years apart
        ("Halloween", 1998),  # between two films of the title
        ("Inceptoin", 2011),  # a slip, and another year
        ("Garfield", 2005),  # shortened, and another year
        ("Kill Bill", 2004),  # would be the second volume
        ("Kill Bill: Vol. 3", 2004),  # another number is no slip
        ("Baby", 1968),  # of a name alone, nothing is left out
        ("Blood Honey in the Morning", 2012),  # known words, another year
        ("Sww", 2004),  # too short for a slip
        ("", 2004),
        ("   ", 2004),
        ("?!", 2004),
        (None, 2004),
        ("A film that nobody made", 2004),
        ("'; drop table titles; --", 2004),
    ],
)
def test_what_is_not_close_enough_is_not_found(small_oracle: Oracle, title: str | None, year: int) -> None:
    assert found(small_oracle, title, year) == (None, None)


@pytest.mark.parametrize(
    ("year", "imdb_id"),
    [(2002, None), (2003, "a"), (2004, "a"), (2005, "a"), (2006, "b"), (2007, "b"), (2009, "b"), (2010, None)],
)
def test_the_nearest_year_wins_and_two_years_are_the_most(tmp_path: Path, year: int, imdb_id: str | None) -> None:
    films = [{"imdb_id": "a", "title": "Alpha", "year": 2004}, {"imdb_id": "b", "title": "Alpha", "year": 2007}]
    if year == 2002:
        films[0]["year"] = 2005
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb", films))
    assert found(oracle, "Alpha", year)[0] == imdb_id


def test_the_name_of_a_series_is_none_of_its_films_of_a_year(tmp_path: Path) -> None:
    parts = [
        {"imdb_id": part, "title": f"Into the Dark: {part}", "year": year}
        for part, year in (("Down", 2019), ("Pilgrim", 2019), ("Pooka!", 2018))
    ]
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb", parts))
    assert found(oracle, "Into the Dark", 2019) == (None, None)
    assert found(oracle, "Into the Dark", 2018) == ("Pooka!", "subtitle")
    assert found(oracle, "Into the Dark", None) == ("Down", "ambiguous")


def test_what_looks_like_a_foreign_article_counts_in_another_year(tmp_path: Path) -> None:
    oracle = create_oracle(
        store=build_store(tmp_path / "s.duckdb", [{"imdb_id": "a", "title": "Another Day", "year": 2001}])
    )
    assert found(oracle, "Die Another Day", 2002) == (None, None)
    assert found(oracle, "Die Another Day", 2001) == ("a", "normalised")


def test_a_year_further_away_lowers_the_score(tmp_path: Path) -> None:
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb", [{"imdb_id": "a", "title": "Alpha", "year": 2004}]))
    queries = pa.table({"title": ["Alpha"] * 4 + ["alpha"], "year": [2004, 2003, 2006, None, 2004]})
    assert oracle.resolve(queries)["match_score"].to_pylist() == pytest.approx([1.0, 0.97, 0.94, 1.0, 0.99])


def test_an_exact_title_goes_before_a_normalised_one_and_the_year_before_both(tmp_path: Path) -> None:
    films = [("a", "The Alpha", 2004), ("b", "Alpha", 2004), ("c", "Alpha", 2005), ("d", "alpha", 2003)]
    store = build_store(
        tmp_path / "s.duckdb", [dict(zip(("imdb_id", "title", "year"), film, strict=True)) for film in films]
    )
    oracle = create_oracle(store=store)
    assert [found(oracle, "Alpha", year)[0] for year in (2004, 2005, 2003)] == ["b", "c", "d"]
    assert found(oracle, "The Alpha", 2004)[0] == "a"


def test_a_film_whose_year_is_not_known_needs_the_same_words(small_oracle: Oracle) -> None:
    assert found(small_oracle, "Undated", 1999) == ("tt0000017", "exact")
    assert found(small_oracle, "Undatedd", 1999) == (None, None)


def test_without_a_year_the_only_film_of_the_title_is_found(small_oracle: Oracle) -> None:
    assert found(small_oracle, "Saw", None) == ("tt0000001", "exact")
    assert found(small_oracle, "Inceptoin", None) == ("tt0000012", "fuzzy")


def test_without_a_year_several_films_of_the_title_are_ambiguous(small_oracle: Oracle) -> None:
    queries = pa.table({"title": ["Halloween"], "year": pa.array([None], pa.int16())})
    row = small_oracle.resolve(queries).to_pylist()[0]
    assert (row["match_method"], row["match_score"], row["imdb_id"]) == ("ambiguous", 0.5, "tt0000003")


def test_in_a_large_store_a_common_title_must_not_be_a_year_off(tmp_path: Path) -> None:
    """Of 400 films of one word, many have a namesake a year away: then a year off says little."""
    films = [
        {"imdb_id": f"a{n}-{year}", "title": f"Word{n}", "year": year} for n in range(200) for year in (1990, 1991)
    ]
    films.append({"imdb_id": "alone", "title": "Solitaire", "year": 1990})
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb", films))
    assert found(oracle, "Word7", 1992) == (None, None)
    assert found(oracle, "Solitaire", 1991) == ("alone", "exact")
    assert found(oracle, "Solitaire", 1992) == (None, None)


def test_confirmed_aliases_come_first(tmp_path: Path) -> None:
    from oracle.store.file import changed_store

    store = build_store(
        tmp_path / "s.duckdb",
        [
            {"imdb_id": "tt0000001", "title": "Alpha", "year": 2004},
            {"imdb_id": "tt0000002", "title": "Beta", "year": 2004},
        ],
    )
    assert found(create_oracle(store=store), "Alpha", 2004) == ("tt0000001", "exact")
    with changed_store(store) as connection:
        connection.execute(
            "insert into title_alias (title, year, imdb_id) values ('alpha', 2004, 'tt0000002'), ('Alef', 2009, 'tt0000001')"
        )
    oracle = create_oracle(store=store)
    assert found(oracle, "Alpha", 2004) == ("tt0000002", "alias")
    assert found(oracle, "Alpha", 2005) == ("tt0000001", "exact")
    assert found(oracle, "Alef", 2009) == (None, None), "an alias can't bridge more than two years"


def test_aliases_confirmed_beside_the_store_hold_from_the_next_opening(tmp_path: Path) -> None:
    from oracle.titles.aliases import append_alias

    store = build_store(
        tmp_path / "s.duckdb",
        [
            {"imdb_id": "tt0000001", "title": "Alpha", "year": 2004},
            {"imdb_id": "tt0000002", "title": "Beta", "year": 2004},
        ],
    )
    append_alias(store, "Alef", 2004, "tt0000001", "confirm")
    append_alias(store, "Beta", 2004, "tt0000001", "confirm")
    append_alias(store, "Gimel", 2004, "tt7654321", "confirm")
    oracle = create_oracle(store=store)
    assert found(oracle, "alef", 2004) == ("tt0000001", "alias")
    assert found(oracle, "Beta", 2004) == ("tt0000001", "alias")
    assert found(oracle, "Gimel", 2004) == (None, None)


def test_a_store_without_titles_finds_nothing(tmp_path: Path) -> None:
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb"))
    assert found(oracle, "Saw", 2004) == (None, None)
