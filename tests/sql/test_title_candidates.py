"""What the titles of a log that were not found could mean, asked of the store as an analyst does."""

import duckdb
import pytest

from oracle import build_store
from oracle.base.resources import read_sql
from oracle.log import open_audit, query
from oracle.store import log_root
from tests.tiny_log import write_tiny_log

FILMS = [
    ("tt0113277", "Heat", 1995),
    ("tt1049413", "Up", 2000),
    ("tt0000003", "Heets", 2003),
    ("tt0000004", "Heat", 2000),
]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory):
    store = build_store(
        tmp_path_factory.mktemp("store") / "s.duckdb",
        [dict(zip(("imdb_id", "title", "year"), film, strict=True)) for film in FILMS],
    )
    write_tiny_log(log_root(store))
    write_tiny_log(log_root(store))
    with duckdb.connect(str(store), read_only=True) as connection:
        yield connection


def test_unresolved_titles_say_how_often_in_which_run_and_with_what_trend(shell) -> None:
    rows = shell.sql(
        "select title, year, times, lists, first_step, last_step, early, late, trend from unresolved_titles"
    ).fetchall()
    assert rows == [("Heet", 2000, 3, 3, 1, 2, 1, 2, 1)] * 2
    assert len(set(shell.sql("select run_id from unresolved_titles").fetchall())) == 2


def test_candidates_are_the_nearest_films_of_all_runs_titles_with_reasons(shell) -> None:
    rows = shell.sql(
        "select times, title, place, imdb_id, is_match, why from title_candidates order by times desc, place"
    ).fetchall()
    heet = [row for row in rows if row[1] == "Heet"]
    assert [row[0] for row in heet] == [6] * len(heet)
    assert [row[3] for row in heet] == ["tt0000003"], "no key brings near what a slip in four letters changed"
    assert heet[0][5] == "3 years apart, and 2 at most are let pass"
    assert [row[3:] for row in rows if row[1] == "Up"] == [("tt1049413", True, "match")], "found with doubt"


def test_all_that_the_sql_page_names_is_answered_where_a_store_was_moved_and_is_named_once(tmp_path):
    films = [dict(zip(("imdb_id", "title", "year"), film, strict=True)) for film in FILMS]
    store = build_store(tmp_path / "first" / "s.duckdb", films)
    write_tiny_log(log_root(store))
    moved = store.parent.rename(tmp_path / "moved") / store.name
    with open_audit(moved) as audit:
        listed = query(audit, read_sql("app/columns")).to_pylist()
        names = [row["name"] for row in listed]
        assert len(names) == len(set(names)) and {"verdicts", "title_candidates", "titles"} <= set(names)
        for row in listed:
            answer = query(audit, f'from "{row["name"]}" limit 1')
            assert row["columns"] == ", ".join(answer.column_names)
        assert query(audit, "select distinct title from title_candidates").num_rows
