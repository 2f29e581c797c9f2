"""The page Films, on films that several sources list and in runs in which safety weighs nothing."""

import shutil
from pathlib import Path

import pytest

from oracle.base.resources import read_sql
from oracle.log import LogWriter, open_audit, query
from oracle.sources import load_sources, recognise
from tests.app.driving import open_page, written
from tests.app.sample_log import ask
from tests.tiny_log import NOTHING, RUN, A, film, step_tables


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


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_what_a_film_cost_is_what_its_violations_took_of_the_rewards(weight, empty_store):
    saw, up = (film(title, title, {"gore": risk}) for title, risk in (("Saw", 0.9), ("Up", 0.1)))
    punished = saw | {"r_safe": -1.0, "r_total": -weight}
    with LogWriter(empty_store.with_suffix(".log"), RUN | {"w_safe": weight}) as log:
        for step, listed in enumerate(([punished, up, NOTHING], [up, punished, punished]), start=1):
            log.write_step(step, *step_tables([{**A, "groundtruth": {}, "verdicts": listed}] * 2))
    app = open_page("films", empty_store, run=log.run_id)
    [lost] = ask(empty_store, "select -sum(r_total) as n from verdicts")
    assert app.dataframe[0].value[["title", "violations", "cost"]].values.tolist() == [["Saw", 6, lost["n"]]]
    assert lost["n"] == 6 * weight and ("Films that were punished" in written(app)) == (weight > 0)
