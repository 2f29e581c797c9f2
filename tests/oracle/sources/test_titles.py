"""Every way in which titles come: what goes in, and the rows that come out."""

import gzip
import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle.sources import read_catalog

FILMS = [("tt0387564", "Saw", 2004, True), ("tt10872600", "Spider-Man: No Way Home", 2021, True)]


@pytest.mark.parametrize(
    "text",
    [
        "imdb_id,title,year\ntt0387564,Saw,2004\ntt10872600,Spider-Man: No Way Home,2021\n",
        "\ufeffimdbId,Title,release_year\r\n387564,Saw,2004\r\n10872600,Spider-Man: No Way Home,2021\r\n",
        "imdb_id;title;year\n0387564;Saw;2004.0\nTT10872600;Spider-Man: No Way Home;2021.0",
        "title\tyear\tid\textra\nSaw\t2004\t 387564.0\tx\nSpider-Man: No Way Home\t2021\ttt10872600\ty\n",
        '[{"imdb_id": 387564, "title": "Saw", "year": 2004}, '
        '{"imdb_id": "tt10872600", "title": "Spider-Man: No Way Home", "year": "2021"}]',
        '{"imdb_id": "387564", "title": "Saw", "year": 2004}\n\n'
        '{"year": 2021, "imdb_id": "tt10872600", "title": "Spider-Man: No Way Home"}\n',
    ],
    ids=["CSV", "CSV of a spreadsheet", "semicolons, pandas numbers", "TSV", "JSON", "JSON lines"],
)
def test_titles_are_the_same_from_any_text_format(desk, titles, text):
    packed = gzip.compress(text.encode())
    [loaded] = desk.load_text(packed if len(text) % 2 else text)  # compressed or not, whatever the name
    assert titles() == FILMS
    assert (loaded.rows_read, loaded.rows_rejected, loaded.rows_stored) == (2, 0, 2)


def test_titles_come_from_parquet_with_numbers_for_ids(desk, titles):
    table = pa.table({"imdb_id": [387564, 10872600], "title": ["Saw", FILMS[1][1]], "year": [2004.0, 2021.0]})
    pq.write_table(table, desk.folder / "t")
    desk.load(desk.folder / "t")
    assert titles() == FILMS


def test_a_missing_year_stays_unknown(desk, titles):
    desk.load_text("imdb_id,title,year\n1,A,\n2,B,\\N\n3,C,nan\n")
    assert [year for _, _, year, _ in titles()] == [None, None, None]


@pytest.mark.parametrize(
    ("written", "year"),
    [
        ("1995.0", 1995), ("2018-10-03", 2018), ("2018-10-03T00:00:00Z", 2018), ("2018-10", 2018), ("10/03/2018", 2018),
        ("3 Oct 2018", 2018), ('"October 3, 2018"', 2018), ("(1995)", 1995), ("2008–2013", 2008), ("2008-", 2008), ("NaT", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("column", ["release_date", "release_year", "startYear"])
def test_a_year_is_read_from_a_date_or_a_span(desk, titles, column, written, year):
    desk.load_text(f"imdb_id,title,{column}\n1,Saw,{written}\n")
    assert titles() == [("tt0000001", "Saw", year, True)]


def test_a_source_whose_titles_have_no_years_says_so(desk):
    [loaded] = desk.load_text("imdb_id,title,produced\n1,Saw,2004\n2,Up,2009\n")
    assert "2 of its 2 titles have no year" in loaded.notes[0] and "release_date" in loaded.notes[0]
    [dated] = desk.load_text("imdb_id,title,year\n1,Saw,2004\n2,Up,2009\n", "dated")
    assert dated.notes == ()


def test_commas_quotes_and_line_ends_in_a_title_survive(desk, titles):
    desk.load_text('imdb_id,title,year\n1,"I, ""Tonya""",2017\n2,"Two\nlines",2000\n')
    assert [title for _, title, _, _ in titles()] == ['I, "Tonya"', "Two\nlines"]


def test_other_titles_are_marked_or_come_without_years(desk, titles):
    marked = desk.file("marked.csv", "imdb_id,title,year,is_primary\n1,Seven,1995,true\n1,Se7en,1995,false\n")
    desk.load(desk.file("others.csv", "imdb_id,title\n1,Sieben\n2,Lost\n"), marked)
    assert titles() == [
        ("tt0000001", "Se7en", 1995, False),
        ("tt0000001", "Seven", 1995, True),
        ("tt0000001", "Sieben", 1995, False),
        ("tt0000002", "Lost", None, True),
    ]


@pytest.mark.parametrize("years", [(2004, 2005), (2005, 2004)])
def test_another_title_has_one_year_whichever_source_of_its_film_came_first(desk, titles, years):
    for year in years:
        desk.load_text(f"imdb_id,title,year\n1,Saw,{year}\n", f"of_{year}")
    desk.load_text("imdb_id,title,is_primary\n1,Säge,false\n", "others")
    assert [year for _, title, year, _ in titles() if title == "Säge"] == [2004]


def test_ids_of_another_domain_stay_as_they_are(desk, titles):
    desk.load_text("game_id,name,release_year\nsteam:620,Portal 2,2011\n")
    assert titles() == [("steam:620", "Portal 2", 2011, True)]


def test_imdb_files_bring_films_original_and_alternative_titles_but_no_episodes(desk, titles):
    basics = (
        "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres\n"
        "tt0211915\tmovie\tAmélie\tLe fabuleux destin d'Amélie Poulain\t0\t2001\t\\N\t122\tComedy\n"
        'tt0000001\tshort\t"Carmencita\t"Carmencita\t0\t1894\t\\N\t1\tDocumentary\n'
        "tt0000002\tmovie\tLater\tLater\t0\t\\N\t\\N\t\\N\t\\N\n"
        "tt0000003\ttvEpisode\tPilot\tPilot\t0\t1999\t\\N\t\\N\t\\N\n"
        "tt0000004\tmovie\tOnce\tOnce\t0\t19??\t\\N\t\\N\t\\N\n"
        "tt0000005\tmovie\ttoo few\n"
    )
    akas = (
        "titleId\tordering\ttitle\tregion\tlanguage\ttypes\tattributes\tisOriginalTitle\n"
        "tt0211915\t1\tAmelie aus Montmartre\tDE\t\\N\timdbDisplay\t\\N\t0\n"
        "tt0211915\t2\tAmelie aus Montmartre\tAT\t\\N\timdbDisplay\t\\N\t0\n"
        "tt0211915\t3\tAmélie\tUS\t\\N\timdbDisplay\t\\N\t0\n"
        "tt0000003\t1\tThe Pilot\tUS\t\\N\t\\N\t\\N\t0\n"
    )
    # Named in the wrong order, and the one compressed under a name that does not say so.
    loaded = desk.load(desk.file("akas", gzip.compress(akas.encode())), desk.file("basics.tsv.gz", basics))
    assert titles() == [
        ("tt0000001", '"Carmencita', 1894, True),
        ("tt0000002", "Later", None, True),
        ("tt0211915", "Amelie aus Montmartre", 2001, False),
        ("tt0211915", "Amélie", 2001, False),  # each source its own
        ("tt0211915", "Amélie", 2001, True),
        ("tt0211915", "Le fabuleux destin d'Amélie Poulain", 2001, False),
    ]
    assert [(one.rows_read, one.rows_rejected) for one in loaded] == [(6, 2), (4, 0)]
    assert [(row, reason) for row, _, reason in desk.rejects("basics.tsv.gz")] == [
        (6, "'19??' is no year"),
        (7, "3 columns instead of 9"),
    ]


def test_movielens_titles_are_parted_put_in_order_and_linked(desk, titles):
    movies = desk.file(
        "movies.csv",
        "movieId,title,genres\n1,Toy Story (1995),Animation\n"
        '2,"City of Lost Children, The (Cité des enfants perdus, La) (1995)",Fantasy\n'
        "3,Seven (a.k.a. Se7en) (1995),Thriller\n4,Babylon 5,Sci-Fi\n5,(500) Days of Summer (2009),Comedy\n"
        "6,Fawlty Towers (1975-1979),Comedy\n7,Nowhere (1997),Drama\n",
    )
    links = (
        "movieId,imdbId,tmdbId\n1,0114709,862\n2,0112682,902\n3,0114369,807\n4,0105946,\n5,1022603,19913\n6,0072500,\n"
    )
    desk.load(movies, desk.file("links.csv", links))
    assert titles() == [
        ("tt0072500", "Fawlty Towers", 1975, True),
        ("tt0105946", "Babylon 5", None, True),
        ("tt0112682", "City of Lost Children, The (Cité des enfants perdus, La)", 1995, False),
        ("tt0112682", "La Cité des enfants perdus", 1995, False),
        ("tt0112682", "The City of Lost Children", 1995, True),
        ("tt0114369", "Se7en", 1995, False),
        ("tt0114369", "Seven", 1995, True),
        ("tt0114369", "Seven (a.k.a. Se7en)", 1995, False),
        ("tt0114709", "Toy Story", 1995, True),
        ("tt1022603", "(500) Days of Summer", 2009, True),
    ]
    assert desk.rejects("movies.csv") == [
        (8, "7,Nowhere (1997)", "no IMDb id is known for movieId 7: name MovieLens' links.csv too")
    ]


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_pickles_of_every_protocol_bring_ids_or_a_catalog(desk, titles, protocol):
    ids = {("saw", 2004): "0387564", ("saw", 2003): 387564, ("up", None): "tt1049413", "bare": "tt0000009"}
    films = {("Saw", 2004), ("Up", 2009)}
    desk.load(
        desk.file("ids", pickle.dumps(ids, protocol)),
        desk.file("set", pickle.dumps(films, protocol)),
        desk.file("list", pickle.dumps([("Alien", 1979), ["Saw", 2004]], protocol)),
    )
    assert titles() == [
        ("tt0000009", "bare", None, True),
        ("tt0387564", "saw", 2003, False),
        ("tt0387564", "saw", 2004, True),
        ("tt1049413", "up", None, True),
    ]
    assert desk.rows("select title, year, imdb_id from catalog order by all") == [
        ("Alien", 1979, None), ("Saw", 2004, None), ("Saw", 2004, None), ("Up", 2009, None),
    ]  # fmt: skip


def test_a_catalog_is_read_for_itself_too(desk):
    expected = [{"title": "Saw", "year": 2004, "imdb_id": None}, {"title": "Up", "year": None, "imdb_id": None}]
    assert read_catalog(desk.file("c.csv", "title,year\nUp,\nSaw,2004\n")).to_pylist() == expected
    assert read_catalog(desk.file("c.pkl", pickle.dumps([("Saw", 2004), ("Up", None)]))).to_pylist() == expected
    with_ids = read_catalog(desk.file("ids.csv", "imdb_id,title,year\n387564,Saw,2004\n"))
    assert with_ids.to_pylist() == [{"title": "Saw", "year": 2004, "imdb_id": "tt0387564"}]
