"""The page Films, on films that several sources list and in runs in which safety weighs nothing."""

import shutil
from pathlib import Path

from oracle.base.resources import read_sql
from oracle.log import open_audit, query
from oracle.sources import load_sources, recognise
from tests.app.driving import open_page


def test_a_film_that_several_sources_list_is_one_film_of_the_risk_table_and_is_found_by_any_of_its_titles(
    store, tmp_path
):
    shutil.copytree(store.with_suffix(".log"), tmp_path / "store.log")
    copy = Path(shutil.copy(store, tmp_path / "store.duckdb"))
    before = open_page("films", copy, film="saw").dataframe[-1].value
    saws = before[before["imdb_id"] == "tt0387564"]
    for name, title in (("a", "Saw"), ("b", "Jigsaw's Saw"), ("c", "Die Säge")):
        (tmp_path / f"{name}.csv").write_text(f"imdb_id,title,year\ntt0387564,{title},2004\n")
    load_sources(copy, recognise(sorted(tmp_path.glob("*.csv"))))
    for search, found in (("saw", len(before)), ("jigsaw's", len(saws)), ("DIE SAGE", len(saws))):
        rows = open_page("films", copy, film=search).dataframe[-1].value
        of_saw = rows[rows["imdb_id"] == "tt0387564"]
        assert len(rows) == found and sorted(of_saw["trait"]) == sorted(saws["trait"])
        assert set(of_saw["title"]) == {"Die Säge"}, "the first of its titles"
    with open_audit(copy) as connection:
        for name in ("film_named", "risks"):
            asked = {"imdb_id": "tt0387564"} if name == "film_named" else {"search": "saw", "trait": None}
            rows = query(connection, read_sql(f"app/{name}"), asked).to_pylist()
            assert {row["title"] for row in rows if row["imdb_id"] == "tt0387564"} == {"Die Säge"}
        assert connection.sql("select count(*) = count(distinct imdb_id) from film_names").fetchall() == [(True,)]
