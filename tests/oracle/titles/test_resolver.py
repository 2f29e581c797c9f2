"""Titles and years find their films: every stage, the rule of years, and what must not be found."""

from importlib.resources import as_file, files
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from oracle import Oracle, UserError, build_store, create_oracle
from tests.benchmarks.query_kinds import made_up_queries


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
    assert found(oracle, "Into the Dark", None) == (None, None)


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
    assert found(small_oracle, "Inceptoin", None) == (None, None)


WITHOUT_A_YEAR = [
    ("Ice Age", "Ice Age", "exact"),
    ("ice age", "Ice Age", "ambiguous"),  # the same words, but two say little
    ("Ice Age: Collision Course", None, None),  # says more: another film
    ("Mobsters", None, None),  # a slip, or another film
    ("Castle in the Sky", "Laputa: Castle in the Sky", "ambiguous"),
    ("Day After Tomorrow", "The Day After Tomorrow", "normalised"),
    ("the day after tomorrow", "The Day After Tomorrow", "normalised"),
    ("Lost Boys", "The Lost Boys", "ambiguous"),
    ("The Ice Age", None, None),  # puts an article in
    ("Mole", "Mole", "ambiguous"),  # or "The Mole"
    ("The Mole", "The Mole", "exact"),
    ("Monster", None, None),
]


@pytest.fixture(scope="module")
def yearless_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = [
        "Ice Age",
        "Monsters",
        "Laputa: Castle in the Sky",
        "The Day After Tomorrow",
        "The Lost Boys",
        "Mole",
        "The Mole",
    ]
    films = [{"imdb_id": name, "title": name, "year": 2000} for name in names]
    return build_store(tmp_path_factory.mktemp("yearless") / "s.duckdb", films)


@pytest.mark.parametrize(("title", "film", "method"), WITHOUT_A_YEAR)
def test_without_a_year_only_the_same_title_is_certain(
    yearless_store: Path, title: str, film: str | None, method: str | None
) -> None:
    assert found(create_oracle(store=yearless_store), title, None) == (film, method)


def test_sql_gives_the_same_without_a_year(yearless_store: Path) -> None:
    titles = [title for title, _, _ in WITHOUT_A_YEAR] + ["MOLE", "The MOLE"]
    queries = pa.table({"title": titles, "year": pa.nulls(len(titles), pa.int16())})
    assert in_sql(yearless_store, queries) == by_query(queries, create_oracle(store=yearless_store).resolve(queries))


def test_what_is_not_certain_shares_its_score_with_a_film_that_is_not_here(yearless_store: Path) -> None:
    queries = pa.table({"title": ["Lost Boys", "Mole"], "year": pa.nulls(2, pa.int16())})
    scores = create_oracle(store=yearless_store).resolve(queries)["match_score"].to_pylist()
    assert scores == pytest.approx([0.97 / 2, 1 / 2])


@pytest.mark.parametrize(
    ("asked", "stored", "is_found"),
    [
        ("End", "At World's End", False),
        ("New Hope", "Bayside Shakedown The Final: The New Hope", False),
        ("The Secret", "Joe Gould's Secret", False),
        ("Woods", "The Devil's Woods", False),
        ("Fearless", "Jet Li's Fearless", True),
        ("A New Hope", "Star Wars: Episode IV - A New Hope", True),
        ("The Winter Soldier", "Captain America: The Winter Soldier", True),
        ("Return of the King", "The Lord of the Rings: The Return of the King", True),
    ],
)
def test_a_short_tail_counts_only_as_it_is_written(tmp_path: Path, asked: str, stored: str, is_found: bool) -> None:
    store = build_store(tmp_path / "s.duckdb", [{"imdb_id": "a", "title": stored, "year": 2009}])
    assert found(create_oracle(store=store), asked, 2009) == (("a", "subtitle") if is_found else (None, None))


def test_a_given_id_comes_before_the_title_and_an_unknown_one_counts_for_nothing(tmp_path: Path) -> None:
    films = [("tt0000001", "Alpha", 2004), ("tt0000002", "Beta", 2004), ("game:doom-of-1993", "Doom", 1993)]
    rows = [dict(zip(("imdb_id", "title", "year"), film, strict=True)) for film in films]
    store = build_store(tmp_path / "s.duckdb", rows)
    queries = pa.table(
        {
            "title": ["Alpha", "Alpha", None, "x", " tt0000002 ", "tt9999999", "Alpha"],
            "year": pa.array([2004, 2004, None, 1800, 1900, None, None], pa.int16()),
            "given_id": ["tt0000002", "tt7777777", "game:doom-of-1993", "tt0000001", None, None, ""],
        }
    )
    ours = create_oracle(store=store).resolve(queries)
    assert list(zip(ours["imdb_id"].to_pylist(), ours["match_method"].to_pylist(), strict=True)) == [
        ("tt0000002", "id"),
        ("tt0000001", "exact"),
        ("game:doom-of-1993", "id"),
        ("tt0000001", "id"),
        ("tt0000002", "id"),
        (None, None),
        ("tt0000001", "exact"),
    ]
    assert in_sql(store, queries) == by_query(queries, ours)
    with pytest.raises(UserError, match="given_id must be text"):
        create_oracle(store=store).resolve(queries.set_column(2, "given_id", pa.array([[1]] * 7)))


def in_sql(store: Path, queries: pa.Table) -> dict[tuple, tuple]:
    with duckdb.connect(str(store), read_only=True) as connection:
        connection.register("queries", queries)
        rows = connection.sql("from resolve_titles('queries')").fetchall()
    return {row[:3]: row[3:] for row in rows}


def by_query(queries: pa.Table, answers: pa.Table) -> dict[tuple, tuple]:
    given = queries["given_id"].to_pylist() if "given_id" in queries.column_names else [None] * len(queries)
    asked = zip(queries["title"].to_pylist(), queries["year"].to_pylist(), given, strict=True)
    return dict(zip(asked, (tuple(row.values()) for row in answers.to_pylist()), strict=True))


def test_sql_and_python_give_the_same_for_2000_altered_titles(tmp_path: Path) -> None:
    with as_file(files("data")) as folder:
        films = csv.read_csv(folder / "films.csv").select(["imdb_id", "title", "year"])
    more = [
        {"imdb_id": f"{row['imdb_id']}{end}", "title": row["title"] + end, "year": row["year"]}
        for row in films.to_pylist()
        for end in (": A New Tale", " II", " (The Movie)")
    ]
    titles = pa.concat_tables([films, pa.Table.from_pylist(more, schema=films.schema)])
    titles = titles.append_column("is_primary", pa.array([True] * len(titles)))
    rest, queries = made_up_queries(titles, 150, 5)
    store = build_store(tmp_path / "s.duckdb", rest)
    queries = queries.select(["title", "year"])
    queries = queries.take(list(range(0, len(queries), len(queries) // 1000)))
    queries = pa.concat_tables([queries, queries.set_column(1, "year", pa.nulls(len(queries), pa.int16()))])
    assert len(queries) >= 2000
    ours = create_oracle(store=store).resolve(queries)
    assert in_sql(store, queries) == by_query(queries, ours)
    methods = set(ours["match_method"].to_pylist())
    assert methods >= {"exact", "normalised", "subtitle", "fuzzy", "ambiguous", None}, "each rule is tried"


GAMES = [
    ("candy", "Candy Crush Saga", 2012),
    ("souls", "Dark Souls III", 2016),
    ("mario", "Super Mario Bros. Deluxe", 2019),
    ("odyssey", "Super Mario Odyssey", 2017),
    ("witcher", "The Witcher: Wild Hunt", 2015),
    ("fallout", "Fallout Shelter Online", 2020),
    ("arena", "Fallout Shelter", 2015),
]


@pytest.fixture(scope="module")
def games(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose domain is not films."""
    from oracle.store.file import changed_store

    rows = [{"imdb_id": key, "title": title, "year": year} for key, title, year in GAMES]
    store = build_store(tmp_path_factory.mktemp("games") / "s.duckdb", rows)
    with changed_store(store) as connection:
        connection.execute("update domain set noun = 'game', nouns = 'games', first_words = true")
    return store


@pytest.mark.parametrize(
    ("title", "year", "expected"),
    [
        ("Candy Crush", 2012, ("candy", "subtitle")),
        ("candy crush", None, ("candy", "ambiguous")),  # the only one here that it can be, and not for certain
        ("Candy Crush", 2014, (None, None)),  # of another year
        ("Candy", 2012, (None, None)),  # one word begins too much
        ("Crush Saga", 2012, (None, None)),  # not the first words
        ("Candy Crush Saga Deluxe", 2012, (None, None)),  # says more
        ("Dark Souls", 2016, (None, None)),  # the number says which one of the series it is
        ("Super Mario", None, (None, None)),  # begins two games
        ("Super Mario", 2017, (None, None)),
        ("Super Mario Bros", None, ("mario", "ambiguous")),
        ("Fallout Shelter", None, ("arena", "exact")),
        ("The Witcher Wild", 2015, ("witcher", "subtitle")),
    ],
)
def test_a_game_is_found_by_first_words_that_begin_it_alone(games: Path, title, year, expected) -> None:
    assert found(create_oracle(store=games), title, year) == expected
    queries = pa.table({"title": [title], "year": pa.array([year], pa.int16())})
    assert in_sql(games, queries) == by_query(queries, create_oracle(store=games).resolve(queries))


def test_films_are_not_found_by_their_first_words(tmp_path: Path) -> None:
    oracle = create_oracle(
        store=build_store(tmp_path / "s.duckdb", [{"imdb_id": "a", "title": "Dark Water Rising", "year": 2002}])
    )
    assert found(oracle, "Dark Water", 2002) == (None, None)


def test_sql_and_python_give_the_same_for_first_words(tmp_path: Path) -> None:
    from oracle.store.file import changed_store

    words = ["alpha", "beta", "gamma", "the", "II", "2", "nights", "le", "Amélie", "東京"]
    rng = np.random.default_rng(8)
    titles = [" ".join(rng.choice(words, rng.integers(1, 6))) for _ in range(300)]
    rows = [{"imdb_id": f"g{n}", "title": t, "year": int(rng.integers(2000, 2004))} for n, t in enumerate(titles)]
    store = build_store(tmp_path / "s.duckdb", rows)
    with changed_store(store) as connection:
        connection.execute("update domain set first_words = true")
    starts = sorted({" ".join(t.split()[:n]) for t in titles for n in range(1, 6)})
    asked = [(start, year) for start in starts for year in (None, 2001)]
    queries = pa.table({"title": [t for t, _ in asked], "year": pa.array([y for _, y in asked], pa.int16())})
    ours = create_oracle(store=store).resolve(queries)
    assert in_sql(store, queries) == by_query(queries, ours)
    assert ours["match_method"].to_pylist().count("subtitle") > 10, "first words are tried"


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
