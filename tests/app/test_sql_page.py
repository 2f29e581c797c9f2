"""The SQL page answers any SELECT and nothing else."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from app import results
from app.views import sql_editor
from oracle.log_queries import named_queries
from tests.app.pages import open_page, written


def answer(store: Path, sql: str):
    return open_page("sql_editor", store, q=sql)


@pytest.mark.parametrize("end", ["", ";", " ; ; ", "; -- how many?\n", "-- how; many?", "/* ; */;", "; -- é ;"])
def test_a_select_is_answered_however_it_ends(store, end):
    app = answer(store, f"select count(*) as n, 'é;' as text from runs{end}")
    assert "1 row<" in written(app)
    assert app.dataframe[-1].value["n"].tolist() == [4]


def test_views_of_the_log_and_tables_of_the_store_are_joined(store):
    sql = "select count(*) > 0 as found from verdicts join trait_risk using (imdb_id) join titles using (imdb_id)"
    assert answer(store, sql).dataframe[-1].value["found"].tolist() == [True]


@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from read_text('/etc/passwd')",
        "select content from read_blob('/proc/self/environ')",
        "from glob('/*')",
        "copy (select 1) to '/tmp/stolen.csv'",
        "copy runs to '/tmp/stolen.csv'",
        "export database '/tmp/stolen'",
        "attach '/tmp/other.duckdb'",
        "install httpfs",
        "load httpfs",
        "from read_parquet('https://example.com/x.parquet')",
        "set memory_limit = '1TB'",
        "set variable log_root = '/tmp'",
        "reset all",
        "pragma enable_profiling",
        "create table t as select 1",
        "create or replace macro log_root() as '/tmp'",
        "drop view verdicts",
        "delete from store.titles",
        "insert into store.titles values (1)",
        "use store",
        "checkpoint",
        "select 1; select 2",
        "select 1; drop view verdicts",
        "select 1) limit 5; drop view verdicts; --",
        "call pragma_version()",
        "explain analyze copy (select 1) to '/tmp/stolen.csv'",
        "selec 1",
        "select * from nowhere",
        "select error('<script>alert(1)</script>')",
    ],
)
def test_everything_else_is_refused_in_words(store, sql):
    app = answer(store, sql)
    page = written(app)
    assert "This query was not answered" in page
    assert "<script" not in page and "Traceback" not in page
    assert not Path("/tmp/stolen.csv").exists() and not Path("/tmp/stolen").exists()


def test_the_log_is_unharmed_by_what_was_refused(store):
    log = store.with_suffix(".log")
    there = sorted(log.rglob("*"))
    answer(store, f"--12345select 1 /*\nexplain analyze copy runs to '{log}/run.parquet' --*/")
    answer(store, f"copy runs to '{log}/run.parquet'")
    assert sorted(log.rglob("*")) == there
    assert answer(store, "select count(*) as n from runs").dataframe[-1].value["n"].tolist() == [4]


def test_a_query_that_takes_too_long_is_stopped(store, monkeypatch):
    monkeypatch.setattr(sql_editor, "TIMEOUT_S", 0.3)
    app = answer(store, "select sum(a.range * b.range) from range(10000000) a, range(10000000) b")
    assert "stopped after 0.3 s" in written(app)


def test_a_long_answer_is_cut_off_and_says_so(store):
    page = written(answer(store, "from range(1000000)"))
    assert "20,000 rows" in page and "Cut off after 20,000" in page


def test_an_answer_without_rows_says_so(store):
    assert "The query found no rows" in written(answer(store, "from runs where false"))


def test_an_empty_editor_asks_for_a_query(store):
    assert "Nothing asked yet" in written(answer(store, " "))


def test_nested_and_odd_columns_are_shown(store):
    sql = """
        select evidence, violated_traits, {'a': 1}::json as j, 1::hugeint as big, 1.5::decimal(9, 2) as d,
            interval 1 day as i, now() as t, 'x'::blob as b, null as n, map {'k': [1, 2]} as m, 1 as "a.b", 2 as "a.b"
        from verdicts where len(evidence) > 0 limit 3
    """
    assert len(answer(store, sql).dataframe[-1].value) == 3


def test_hostile_titles_stay_text_in_tables(store):
    app = answer(store, "select distinct text from rollouts where contains(text, '<script>')")
    assert "<script>" in app.dataframe[-1].value["text"][0]  # drawn on a canvas, as it is
    assert "<script" not in written(app)


@pytest.mark.parametrize("name", named_queries())
def test_every_named_query_can_be_asked(store, name):
    assert "This query was not answered" not in written(answer(store, named_queries()[name].sql))


def test_named_queries_are_about_the_chosen_run(store):
    sql = "select chosen_run() as run"
    runs = answer(store, "select run_id from runs where kind = 'train' order by run_id").dataframe[-1].value["run_id"]
    for run in runs:
        app = open_page("sql_editor", store, q=sql, run=run)
        assert app.dataframe[-1].value["run"].tolist() == [run]


NESTED = pa.table({"n": [1, 2], "who": [["a", "b"], None], "what": [{"x": 1.5}, None], "text": ["a;b", 'say "é"']})


def test_answers_can_be_taken_away_as_csv():
    table = pyarrow.csv.read_csv(io.BytesIO(results.as_csv(results.flattened(NESTED))))
    assert table["n"].to_pylist() == [1, 2]
    assert table["who"].to_pylist()[0] == '["a", "b"]'
    assert table["text"].to_pylist() == ["a;b", 'say "é"']


def test_answers_can_be_taken_away_as_parquet_with_their_types():
    assert pyarrow.parquet.read_table(io.BytesIO(results.as_parquet(NESTED))).equals(NESTED)


def test_columns_of_the_same_name_are_told_apart():
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["n", "n", "m"])
    assert results.flattened(table).column_names == ["n", "n_2", "m"]
