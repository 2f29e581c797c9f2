"""The SQL page answers any SELECT and nothing else."""

import csv
import io
import json
import math
import os
import shutil
import signal
import tempfile
import threading
from datetime import time
from decimal import Decimal
from pathlib import Path

import altair as alt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.components import results
from app.core import kept, query_pool
from app.core.flat import flattened, once
from app.views import sql_editor
from oracle import UserError, confirm_alias
from oracle.log import compact, named_queries
from oracle.store import alias_files
from oracle.store.build import build_starter_store
from oracle.titles.aliases import append_alias
from tests.app.driving import checked, open_page, written
from tests.synthetic_log import write_run


def answer(store: Path, sql: str, **filters: object):
    """The page after a person has opened a link with this statement, and pressed Run."""
    return run(open_page("sql_editor", store, q=sql, **filters))


def run(page):
    [button] = [button for button in page.button if button.label == "Run"]
    return checked(button.click().run())


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
        "with x as (copy (select 1) to '/tmp/stolen.csv') select 1",
        "with x as materialized (copy (select 1) to '/tmp/stolen.csv') from x",
        "select (with x as (copy (select 1) to '/tmp/stolen.csv') select 1)",
        "select 1 union all (with x as (copy (select 1) to '/tmp/stolen.csv') select 1)",
        "from (with x as (copy (select 1) to '/tmp/stolen.csv') select 1) join runs on true",
        "select 1 where exists (with x as (copy (select 1) to '/tmp/stolen.csv') select 1)",
        "select list_transform([1], lambda x: (with y as (copy (select 1) to '/tmp/stolen.csv') select 1))",
        "describe (with x as (copy (select 1) to '/tmp/stolen.csv') select 1)",
        "with x as (insert into store.titles values (1) returning *) from x",
        "with x as (delete from store.titles returning *) from x",
        "with x as (update store.titles set year = 1 returning *) from x",
        "from json_execute_serialized_sql(json_serialize_sql('select 1'))",
        "select * from JSON_EXECUTE_SERIALIZED_SQL('{}')",
        "from query('select 1')",
        "from query_table('/etc/passwd')",
        "select sleep_ms(100000)",
        "select nextval('s')",
        "select write_log('forged')",
        "select current_setting('home_directory')",
        "from duckdb_secrets()",
        "from parquet_metadata('/etc/passwd')",
        "from sniff_csv('/etc/passwd')",
        "from enable_logging()",
        "from read_duckdb('/tmp/x.db')",
        "selec 1",
        "select * from nowhere",
        "select error('<script>alert(1)</script>')",
    ],
)
def test_everything_else_is_refused_in_words(store, sql):
    page = written(answer(store, sql))
    assert "This query was not answered" in page
    assert "<script" not in page and "Traceback" not in page
    assert not Path("/tmp/stolen.csv").exists() and not Path("/tmp/stolen").exists()


WIPE = "with x as (copy (select 1 as a, 2 as b) to '{run}' (format parquet, overwrite true, partition_by (a))) select 1"


@pytest.mark.parametrize(
    "sql", [WIPE, "from json_execute_serialized_sql(json_serialize_sql('" + WIPE.replace("'", "''") + "'))"]
)
def test_a_link_can_wipe_no_run(store, sql):
    log = store.with_suffix(".log")
    there = contents(log)
    target = next(p.parent for p in log.glob("[0-9]*/run.parquet"))
    answer(store, sql.format(run=target))
    assert contents(log) == there


def test_a_link_is_not_asked_until_the_person_says_so(store):
    page = open_page("sql_editor", store, q="select 41 + 1 as n")
    assert "Not asked yet" in written(page)
    assert page.text_area[0].value == "select 41 + 1 as n"
    assert run(page).dataframe[-1].value["n"].tolist() == [42]


def test_run_asks_again_and_nothing_else_does(store):
    page = answer(store, "select random() as n, 1 as m")
    first = page.dataframe[-1].value["n"][0]
    [across] = [box for box in page.selectbox if box.label == "Across"]
    assert checked(across.set_value("m").run()).dataframe[-1].value["n"][0] == first
    assert run(page).dataframe[-1].value["n"][0] != first


def test_the_log_is_unharmed_by_what_was_refused(store):
    log = store.with_suffix(".log")
    there = contents(log)
    answer(store, f"--12345select 1 /*\nexplain analyze copy runs to '{log}/run.parquet' --*/")
    answer(store, f"copy runs to '{log}/run.parquet'")
    assert contents(log) == there
    assert answer(store, "select count(*) as n from runs").dataframe[-1].value["n"].tolist() == [4]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "sql",
    [
        "select length((repeat('9', 30000000)::bignum)::varchar)",  # DuckDB doesn't look up while it computes this
        "select sum(a.range * b.range) from range(10000000) a, range(10000000) b",
    ],
)
def test_what_takes_too_long_is_stopped_whatever_it_does(store, monkeypatch, sql):
    monkeypatch.setattr(sql_editor, "TIMEOUT_S", 0.5)
    assert "stopped after 0.5 s" in written(answer(store, sql))
    monkeypatch.undo()
    assert answer(store, "select 1 as n").dataframe[-1].value["n"].tolist() == [1]


@pytest.mark.parametrize("sql", ["select to_json(range(100000000))", "select repeat('x', 500000000) as a"])
def test_what_takes_too_much_memory_is_stopped(store, monkeypatch, sql):
    monkeypatch.setattr(query_pool, "MEMORY_MB", 600)
    assert "of memory and was stopped" in written(answer(store, sql))


def test_an_answer_of_too_many_columns_is_refused(store):
    page = written(answer(store, "select " + ", ".join("1" * 400)))
    assert "400 columns" in page and "select fewer" in page


DOUBLED = "with a0 as (select 1 as s)" + "".join(
    f", a{n + 1} as (select {{p: s, q: s}} as s from a{n})" for n in range(12)
)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select repeat('x', 3000) as a from range(20000)", "60 MB, and this page shows 50"),
        ("select [repeat(chr(9), 2000)] as a from range(20000)", "80 MB, and this page shows 50"),  # as JSON
        ("select repeat(chr(1), 7000000) as a", "56 MB, and this page shows 50"),  # as [U+0001]
        (f"select '{'x' * 3000}'::enum('{'x' * 3000}') as a from range(20000)", "60 MB, and this page shows 50"),
        (f"select {', '.join('*' * 30)} from (select 1 as {'x' * 9000})", "272 kB, and this page shows 200"),
        (f"{DOUBLED} select s from a12 limit 0", "kB, and this page shows 200"),
    ],
)
def test_an_answer_that_would_burden_the_app_is_refused_before_it_gets_there(store, sql, reason):
    assert reason in written(answer(store, sql))


def test_values_that_python_has_no_like_of_are_shown_as_text(store):
    app = answer(store, "select ['infinity'::date] as a, interval 3 days as b, '10'::bit as c, [{'x': 1}] as d")
    assert app.dataframe[-1].value.iloc[0].tolist() == ["[infinity]", "3 days", "10", '[{"x": 1}]']


def test_infinity_is_no_moment_of_any_unit(store):
    kinds = ["date", "timestamp_s", "timestamp_ms", "timestamp", "timestamp_ns", "timestamptz", "timestamptz_ns"]
    asked = ", ".join(f"'{sign}infinity'::{kind}" for kind in kinds for sign in ("", "-"))
    seen = answer(store, f"select {asked}").dataframe[-1].value.iloc[0].tolist()
    assert seen == ["infinity", "-infinity"] * len(kinds)


def test_a_time_that_the_page_would_cut_to_seconds_is_shown_in_full(store):
    app = answer(store, "select '1969-12-31 23:59:59.999999'::timestamp as a, '1:02:03'::time as b, null::time as c")
    assert list(map(str, app.dataframe[-1].value.iloc[0])) == ["1969-12-31 23:59:59.999999", "01:02:03", "None"]
    assert isinstance(app.dataframe[-1].value["a"][0], str)


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 as a, 2 as a, 3 as a_2",
        "select struct_pack() as a, map() as b",
        'select 1 as "\u202ea\x1b"',
        "select '=1+1'::enum('=1+1') as a",
        "select 'a\u202e'::enum('a\u202e') as a",
    ],
)
def test_odd_names_and_types_are_shown_drawn_and_taken_away(store, sql):
    page = answer(store, sql)
    shown = page.dataframe[-1].value.to_csv()
    assert "This query was not answered" not in written(page) and not set(shown) & set("\u202e\x1b")
    assert "\n=" not in results.as_csv(kept.answers().get(page.session_state["answer"][1]).flat).decode()


@pytest.fixture(scope="module")
def pool(store):
    return query_pool.QueryPool(store)


def test_a_process_that_was_killed_while_nobody_asked_it_is_replaced(pool):
    pool.ask("select 1", None, 9, 20, lambda seconds: None)
    [process] = [process for process in pool._places.queue if process]
    os.kill(process._process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process._process.pid, os.WEXITED | os.WNOWAIT)
    assert pool.ask("select 41 + 1 as n", None, 9, 20, lambda seconds: None).rows["n"].to_pylist() == [42]


def test_a_process_that_reads_nothing_more_holds_up_no_long_statement(pool, monkeypatch):
    monkeypatch.setattr(query_pool, "GRACE_S", 0)
    pool.ask("select 1", None, 9, 20, lambda seconds: None)
    [process] = [process for process in pool._places.queue if process]
    os.kill(process._process.pid, signal.SIGSTOP)
    with pytest.raises(UserError, match=r"stopped after 0\.1 s"):
        pool.ask(f"select 1 -- {'x' * 100_000}", None, 9, 0.1, lambda seconds: None)
    assert pool.ask("select 41 + 1 as n", None, 9, 20, lambda seconds: None).rows["n"].to_pylist() == [42]


def test_a_log_and_decisions_are_read_wherever_they_lie(store, tmp_path, monkeypatch):
    """The decisions as they are at each statement: the file was not there when the process began."""
    odd = tmp_path / "sweep[1] *'é" / "store.duckdb"
    odd.parent.mkdir()
    shutil.copyfile(store, odd)
    shutil.copytree(store.with_suffix(".log"), odd.with_suffix(".log"))
    monkeypatch.setattr(tempfile, "tempdir", str(odd.parent))  # where its copies lie
    pool = query_pool.QueryPool(odd)

    def asked(sql: str) -> list[dict]:
        return pool.ask(sql, None, 9, 20, lambda seconds: None).rows.to_pylist()

    verdict = "select matched_title, status from check_film('Zorblax', null, 'Anti-gore / squeamish')"
    assert asked("select count(*) as n from runs") == [{"n": 4}]
    [process] = [process for process in pool._places.queue if process]
    assert asked(verdict) == [{"matched_title": None, "status": "unresolved"}]
    confirm_alias(odd, "Zorblax", None, "tt0387564")
    assert asked(verdict) == [{"matched_title": "Saw", "status": "unsafe"}]
    _, file = alias_files(odd)
    file.with_name("new").write_text(file.read_text() + file.read_text().replace('"confirm"', '"undo"'))
    file.with_name("new").rename(file)
    assert asked("from alias_decisions") == []
    file.unlink()
    file.mkdir()
    with pytest.raises(UserError, match=r"aliases\.jsonl is a folder"):
        asked(verdict)
    file.rmdir()
    assert asked(verdict) == [{"matched_title": None, "status": "unresolved"}]
    assert [each for each in pool._places.queue if each] == [process]
    pool.close()
    assert not list(odd.parent.glob("tmp*"))


def test_a_process_whose_folder_was_cleared_away_is_replaced(pool, store):
    pool.ask("select 1", None, 9, 20, lambda seconds: None)
    [process] = [process for process in pool._places.queue if process]
    shutil.rmtree(process._folder.name)
    append_alias(store, "Zorblax", None, "tt0387564", "confirm")
    try:
        with pytest.raises(UserError, match=r"cannot copy .*aliases\.jsonl for this query: No such file .*; ask again"):
            pool.ask("from alias_decisions", None, 9, 20, lambda seconds: None)
        again = pool.ask("select title from alias_decisions", None, 9, 20, lambda seconds: None)
    finally:
        alias_files(store)[-1].unlink()
    assert again.rows["title"].to_pylist() == ["Zorblax"]


def test_a_fault_of_duckdb_itself_is_told_in_short_and_keeps_no_other_query_from_its_answer(store):
    pool, fault = (
        query_pool.QueryPool(store),
        "select reservoir_quantile(range, 0.5, 2147483647) from range(20000) group by range",
    )
    with pytest.raises(UserError) as told:
        pool.ask(fault, None, 9, 20, lambda seconds: None)
    assert (
        str(told.value)
        == "DuckDB itself failed at this (INTERNAL Error: Memory allocation failure): ask in another way"
    )
    assert pool.ask("select 41 + 1 as n", None, 9, 20, lambda seconds: None).rows["n"].to_pylist() == [42]


def test_a_process_that_kept_much_memory_answers_no_further_query(pool, monkeypatch):
    monkeypatch.setattr(query_pool, "KEPT_MB", 1)
    pool.ask("select 1", None, 9, 20, lambda seconds: None)
    assert not any(pool._places.queue)


def test_a_long_answer_is_cut_off_and_says_so(store):
    page = written(answer(store, "from range(1000000)"))
    assert "20,000 rows" in page and "Cut off after 20,000" in page


def test_more_names_than_a_browser_can_draw_are_told_in_place_of_the_chart(store):
    page = answer(store, "select 'n' || range as a, range as b from range(1001)")
    assert "1,001 different values of a are too many to draw" in written(page)
    [across] = [box for box in page.selectbox if box.label == "Across"]
    assert "too many to draw" not in written(checked(across.set_value("b").run()))


def test_texts_that_are_too_long_to_draw_are_told_in_place_of_the_chart(store):
    page = answer(store, "select repeat('x', 9000) || i % 10 as a, i as b from range(400) as t(i)")
    assert "These texts are too long to draw" in written(page) and not page.get("vega_lite_chart")


def test_what_stands_below_the_question_stays_in_its_place_once_it_is_answered(store):
    """Else the chart that a reader looks at would make way for the table when a column is chosen."""
    first = answer(store, "select 1 as a, 2 as b")
    before = list(first.main.children)
    [up] = [box for box in first.selectbox if box.label == "Up"]
    again = checked(up.set_value("a").run())
    assert list(again.main.children) == before and [tab.label for tab in again.tabs] == ["Table", "Chart"]


def test_rows_of_one_name_are_points_and_no_stack_of_bars(store):
    def mark(sql: str) -> str:
        [chart] = answer(store, sql).get("vega_lite_chart")
        return json.loads(chart.proto.spec)["mark"]["type"]

    assert mark("from (values ('a', 0.8), ('b', 0.7)) as t(run, svr)") == "bar"
    assert mark("from (values ('a', 0.8), ('b', 0.7), ('a', 0.7)) as t(run, svr)") == "circle"


def test_a_chart_has_its_data_also_while_another_page_draws_one(store):
    """For which Streamlit says what Altair is to do with data, in all threads."""
    alt.data_transformers.register("of another page", lambda data, **_: {"name": "of another page"})
    with alt.data_transformers.enable("of another page"):
        [chart] = answer(store, "from (values ('a', 0.8), ('b', 'nan'::double)) as t(run, svr)").get("vega_lite_chart")
    rows = pa.ipc.open_stream(chart.proto.data.data).read_all().to_pylist()
    assert rows == [{"x": "a", "y": 0.8}, {"x": "b", "y": None}]


def test_of_two_runs_that_are_called_alike_the_one_of_the_link_is_asked(store, tmp_path):
    copy = Path(shutil.copytree(store.parent, tmp_path / "copy")) / store.name
    first = max(folder for folder in copy.with_suffix(".log").glob("2[0-9]*"))
    second = shutil.copytree(first, first.with_name(f"20000101-copy-{first.name[-4:]}")).name
    for chosen in (first.name, second):
        page = answer(copy, "select chosen_run() as r", run=chosen)
        [box] = [box for box in page.selectbox if box.label == "Run"]
        assert page.dataframe[-1].value["r"].tolist() == [box.value] == [chosen]
        assert len(set(box.options)) == len(box.options)


def test_the_session_keeps_no_answer_itself_and_one_that_is_pushed_out_is_to_be_asked_again(store):
    page = answer(store, "select 41 + 1 as n")
    _, ticket = page.session_state["answer"]
    assert isinstance(ticket, str) and kept.answers().get(ticket).rows["n"].to_pylist() == [42]
    kept.answers().drop(ticket)
    assert "kept no more: press Run again" in written(checked(page.run()))
    assert run(page).dataframe[-1].value["n"].tolist() == [42]


def test_an_answer_says_what_is_missing_in_it(store, tmp_path):
    """A step that is damaged within its file, which nobody but the process that answers has met."""
    copy = Path(shutil.copytree(store.parent, tmp_path / "copy")) / store.name
    file = next(copy.with_suffix(".log").glob("2[0-9]*/step*/verdicts.parquet"))
    file.write_bytes(b"PAR1" + bytes(4000) + file.read_bytes()[4004:])
    for page in (
        app := answer(copy, "select max(columns(* exclude (evidence, own_rewards))) from verdicts"),
        checked(app.run()),
    ):
        shown = written(page)
        assert shown.count("Some of the log is left out") == 1 and file.parent.name in shown
    assert "left out" not in written(
        answer(store, "select max(columns(* exclude (evidence, own_rewards))) from verdicts")
    )


def test_an_answer_says_what_is_missing_in_it_also_where_it_is_back_by_the_time_the_answer_is_there(tmp_path):
    store = build_starter_store(tmp_path / "store.duckdb")
    run = store.with_suffix(".log") / write_run(store.with_suffix(".log"), steps=2, prompts=1)
    compact(run.parent, run.name, grace_s=0)
    [step] = run.glob("steps-*")
    slow = "(select count(*) from range(15000) a, range(20000) b where hash(a.range * b.range) % 7 = 1)"
    pool = query_pool.QueryPool(store)
    try:

        def ask(sql: str) -> tuple[int, bool]:
            answer = pool.ask(sql, None, 10, 60, lambda _: None)
            return answer.rows["n"][0].as_py(), answer.left_out is not None

        rows, is_told = ask("select count(*) as n from verdicts")
        assert rows and not is_told
        step.rename(run / ".away")
        back = threading.Timer(0.5, lambda: (run / ".away").rename(step))
        back.start()
        assert ask(f"select count(*) + 0 * {slow} as n from verdicts") in ((0, True), (rows, False))
        back.join()
        assert ask("select count(*) as n from verdicts") == (rows, False)
    finally:
        pool.close()


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


def test_of_a_log_of_one_run_what_compares_is_refused_and_the_rest_answered(tmp_path):
    store = build_starter_store(tmp_path / "store.duckdb")
    write_run(store.with_suffix(".log"), steps=1, prompts=1)
    for named in named_queries().values():
        page = written(answer(store, named.sql))
        compares = "other_run" in named.variables
        assert ("This query was not answered" in page) == compares, named.name
        assert ("the log has no run of its kind before" in page) == compares


def test_named_queries_are_about_the_chosen_run(store):
    sql = "select chosen_run() as run"
    runs = answer(store, "select run_id from runs where kind = 'train' order by run_id").dataframe[-1].value["run_id"]
    for run_id in runs:
        app = answer(store, sql, run=run_id)
        assert app.dataframe[-1].value["run"].tolist() == [run_id]


def test_decimals_are_drawn_as_numbers_that_a_browser_can_count():
    assert results.drawable(pa.chunked_array([[Decimal("9" * 38), None]])).to_pylist() == [1e38, None]
    assert results.drawable(pa.chunked_array([[2**63 - 1, -3]])).to_pylist() == [2.0**63, -3.0]
    assert results.drawable(pa.chunked_array([[math.nan, -math.inf, 0.5]])).to_pylist() == [None, None, 0.5]


def test_names_are_drawn_as_the_texts_by_which_a_browser_tells_them_apart():
    """Else the bars of null and of 'null', as JSON has it, would lie upon each other."""
    names = pa.chunked_array([["null", None, ""]])
    assert results.drawable(names).to_pylist() == ["null", "null", ""]
    assert results.drawable(pa.chunked_array([[True, None]])).to_pylist() == ["true", "null"]
    assert results.drawable(pa.chunked_array([[time(10, 0), None]])).to_pylist() == ["10:00:00.000000", "null"]


NESTED = pa.table({"n": [1, 2], "who": [["a", "b"], None], "what": [{"x": 1.5}, None], "text": ["a;b", 'say "é"']})


def test_texts_that_a_spreadsheet_would_run_are_texts_in_csv_and_as_they_were_in_parquet():
    texts = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "＝1", "a=1", "", None, "'=1"]
    table = pa.table({"=name": texts, "n": range(-5, 6)})
    rows = list(csv.reader(io.StringIO(results.as_csv(table).decode(), newline="")))
    first = ["'=1+1", "'+1", "'-1", "'@SUM(1)", "'\t'=1", "'\r'=1", "'＝1"]
    assert [row[0] for row in rows] == ["'=name", *first, "a=1", "", "", "'=1"]
    assert rows[1][1] == "-5"  # a number stays a number
    assert pyarrow.parquet.read_table(io.BytesIO(results.as_parquet(table))).equals(table)


@given(st.lists(st.text("=+-@＝\"'; ,\t\r\na", max_size=8), min_size=1, max_size=3))
def test_no_cell_of_a_csv_is_a_formula_whatever_ends_a_cell_for_a_spreadsheet(texts):
    written = results.as_csv(pa.table({"n": [0] * len(texts), "text": texts, "m": [1] * len(texts)}))
    for ends in ",;\t":
        cells = [cell for row in csv.reader(io.StringIO(written.decode(), newline=""), delimiter=ends) for cell in row]
        assert not [cell for cell in cells if cell.startswith(tuple("=+-@＝"))]


def test_answers_can_be_taken_away_as_csv():
    table = pyarrow.csv.read_csv(io.BytesIO(results.as_csv(flattened(NESTED))))
    assert table["n"].to_pylist() == [1, 2]
    assert table["who"].to_pylist()[0] == '["a", "b"]'
    assert table["text"].to_pylist() == ["a;b", 'say "é"']


def test_answers_can_be_taken_away_as_parquet_with_their_types():
    assert pyarrow.parquet.read_table(io.BytesIO(results.as_parquet(NESTED))).equals(NESTED)


def test_columns_of_the_same_name_are_told_apart():
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["n", "n", "m"])
    assert flattened(table).column_names == ["n", "n_2", "m"]
    assert once(["n", "n", "n_2", "n", "n_2"]) == ["n", "n_3", "n_2", "n_4", "n_2_2"]
