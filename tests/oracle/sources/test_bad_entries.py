"""One bad entry of a file is a reject with its row and reason, wherever it stands; the good ones load."""

import json
import pickle

import pytest

from oracle.sources import read_catalog

GOOD = [("Saw", 2004), ("Up", None), ("Alien", 1979.0)]
ENTRIES = [
    (None, "no title"),
    (7, "no title"),
    (("Heat", 1995, 1), "no title"),
    ({"title": "Heat"}, "no title"),
    ((None, 1995), "no title"),
    ((["Heat"], 1995), "no title"),
    ((True, 1995), "no title"),
    ((10**5000, 1995), "no title"),
    (("Heat", 10**5000), "'a number of 16,610 bits' is no year"),
    (("Heat", 1 << 3_000_000), "'a number of 3,000,001 bits' is no year"),
    (("Heat", 10**400), "is no year"),
    (("Heat", float("inf")), "'inf' is no year"),
    (("Heat", [1995]), "'[1995]' is no year"),
    (("Heat", b"1995"), "is no year"),
    (("Heat", True), "'True' is no year"),
]


@pytest.mark.parametrize("place", [0, 3])
def test_bad_entries_of_a_pickled_catalog_are_rejects(desk, place):
    bad = [entry for entry, _ in ENTRIES]
    path = desk.file("c.pkl", pickle.dumps([*GOOD[:place], *bad, *GOOD[place:]]))
    (loaded,) = desk.load(path)
    assert (loaded.rows_read, loaded.rows_rejected) == (len(bad) + 3, len(bad))
    films = [("Alien", 1979), ("Saw", 2004), ("Up", None)]
    assert desk.rows("select title, year from catalog order by all") == films
    assert [(film["title"], film["year"]) for film in read_catalog(path).to_pylist()] == films
    rejects = desk.rejects("c.pkl")
    assert [row for row, _, _ in rejects] == [place + n for n in range(1, len(bad) + 1)]
    for (_, content, reason), (_, told) in zip(rejects, ENTRIES, strict=True):
        assert told in reason and content and len(content) < 2000


def test_bad_entries_of_a_pickled_dictionary_are_rejects(desk, titles):
    ids = {
        ("Saw", 2004): "tt0387564",
        ("Up", 2009): None,
        ("Heat", 1995): [1],
        ("Coco", 2017): 10**5000,
        7: "tt0000007",
    }
    desk.load(desk.file("ids", pickle.dumps(ids)))
    assert titles() == [("tt0387564", "Saw", 2004, True)]
    assert [row for row, _, _ in desk.rejects("ids")] == [2, 3, 4, 5]


BAD = [None, 5, "x", [], [1], {}, {"a": 1}, True]
ROWS = {
    "titles": {"imdb_id": "tt0387564", "title": "Saw", "year": 2004},
    "catalog": {"title": "Saw", "year": 2004},
    "tags": {"imdb_id": "tt0387564", "tags": ["gore"]},
    "risks": {"imdb_id": "tt0387564", "trait": "T", "risk": 0.5},
    "severities": {"imdb_id": "tt0387564", "severities": {"Violence & Gore": "Severe"}},
    "TMDb": {"id": 1, "title": "Saw", "release_date": "2004-01-01", "imdb_id": "tt0387564", "adult": False,
             "keywords": {"keywords": [{"id": 1, "name": "gore"}]}},
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_bad_elements_of_a_json_list_are_rejects_where_they_come_first_too(desk, kind):
    (loaded,) = desk.load_text(json.dumps([*BAD, ROWS[kind]]))
    assert [row for row, _, _ in desk.rejects()] == [*range(1, len(BAD) + 1)]
    assert loaded.rows_stored


def test_bad_lines_of_json_are_rejects_where_they_come_first_too(desk):
    desk.load_text("".join(json.dumps(row) + "\n" for row in ({}, {"a": 1}, None, ROWS["tags"])))
    assert [row for row, _, _ in desk.rejects()] == [1, 2, 3]


@pytest.mark.parametrize("value", [["gore"], {"Violence & Gore": "Severe"}], ids=["tags", "severities"])
def test_bad_values_of_a_json_object_are_rejects_where_they_come_first_too(desk, value):
    bad = [None, 5, [1], {}, {"Violence & Gore": "dire"}, True, [None]]
    films = {f"tt{number:07}": one for number, one in enumerate([*bad, value], 1)}
    desk.load_text(films)
    assert [row for row, _, _ in desk.rejects()] == [*range(1, len(bad) + 1)]
    known = "select imdb_id from film_tags union select imdb_id from film_severities"
    assert desk.rows(known) == [("tt0000008",)]
