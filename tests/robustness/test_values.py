"""Whatever a query gives, `log query` says rightly in each of its forms; what a form can't hold is text as DuckDB writes it."""

import csv
import json

import duckdb
import pytest

from oracle.log import query
from tests.robustness.driving import run

UNION = "case when {} then union_value(num := 2)::union(num int, str varchar) else 'a'::union(num int, str varchar) end"
TEXTS = {  # what is text in a table, JSON and CSV alike
    "interval '1 month 2 days 03:04:05.5'": "1 month 2 days 03:04:05.5",
    "-interval 400 day": "-400 days",
    UNION.format("true"): "2",
    UNION.format("false"): "a",
    "'infinity'::date": "infinity",
    "'-infinity'::timestamp": "-infinity",
    "'infinity'::timestamptz": "infinity",
    "'290000-01-01'::timestamp": "290000-01-01 00:00:00",
    "'0044-03-15 (BC)'::date": "0044-03-15 (BC)",
    "'24:00:00'::time": "24:00:00",
    "'12:34:56.789+02:30'::timetz": "12:34:56.789+02:30",
    "'0101'::bit": "0101",
    "123456789012345678901234567890123456789012345::bignum": "123456789012345678901234567890123456789012345",
    "340282366920938463463374607431768211455::uhugeint": "340282366920938463463374607431768211455",
    "170141183460469231731687303715884105727::hugeint": "170141183460469231731687303715884105727",
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "1.10::decimal(38, 10)": "1.1000000000",
    "'a'::enum('a', 'b')": "a",
    "'\\xAA\\x00a'::blob": "\\xAA\\x00a",
    "1::variant": "1",
    "map {1: [1, 2]}": "{1=[1, 2]}",
    "map {'a': map {1: interval 1 day}}": "{a={1=1 day}}",
    "[interval 1 day, null]": "[1 day, NULL]",
    "[{'t': '2020-01-01'::timestamp, 'd': 'infinity'::date}]": "[{'t': '2020-01-01 00:00:00', 'd': infinity}]",
    "{'d': 1.10::decimal(5, 2), 't': '12:34:56+02'::timetz}": "{'d': 1.10, 't': '12:34:56+02'}",
}
VALUES = {  # value, and what JSON has
    "null": None,
    "18446744073709551615::ubigint": 18446744073709551615,
    "[[1, 2], [null], null]": [[1, 2], [None], None],
    "{'a': 1, 'b': {'c': [1, null]}}": {"a": 1, "b": {"c": [1, None]}},
    "map {'a': 1, 'b': null}": {"a": 1, "b": None},
    "[1, 2, 3]::int[3]": [1, 2, 3],
    "'a' || chr(0) || 'b'": "a\0b",
}
COLUMNS = [f"{value} as c{number}" for number, value in enumerate([*TEXTS, *VALUES])]
SQL = f"select {', '.join(COLUMNS)} from range(3) order by range desc"


def asked(capfd, form: str):
    done = run(f'oracle log query --sql "{SQL.replace(chr(92), chr(92) * 2)}" {form}', capfd)
    assert done.status == 0, done.err
    return done.out


@pytest.fixture
def out(place):
    yield place
    for path in place.glob("out.*"):
        path.unlink()


def test_all_values_are_said_in_json(place, capfd):
    rows = [json.loads(line) for line in asked(capfd, "--json").splitlines()]
    assert [list(row.values()) for row in rows] == [[*TEXTS.values(), *VALUES.values()]] * 3


def test_all_values_are_said_in_csv(out, capfd):
    asked(capfd, "--out out.csv")
    with open(out / "out.csv", encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(line.replace("\0", "") for line in file)
    assert len(rows) == 3 and all(row[: len(TEXTS)] == list(TEXTS.values()) for row in rows)


def test_all_values_are_said_in_a_table(place, capfd):
    said = asked(capfd, "")
    for text in (*TEXTS.values(), "[[1, 2], [null], null]", "a[U+0000]b"):
        assert said.count(text) >= 3, text


def test_all_values_are_kept_in_parquet(out, capfd):
    asked(capfd, "--out out.parquet")
    with duckdb.connect() as connection:
        columns = ", ".join(f"c{number}::varchar" for number in range(len(TEXTS)) if "blob" not in list(TEXTS)[number])
        rows = connection.sql(f"select {columns} from 'out.parquet'").fetchall()
        types = connection.sql("describe from 'out.parquet'").fetchall()
    expected = tuple(text for value, text in TEXTS.items() if "blob" not in value)
    assert rows == [expected] * 3
    assert {name: kind for name, kind, *_ in types}["c4"] == "DATE"


def test_rows_keep_their_order_where_a_column_becomes_text():
    with duckdb.connect() as connection:
        rows = query(connection, "select interval (range) day as i, range as n from range(5000) order by n desc")
    assert rows["n"].to_pylist() == [*range(4999, -1, -1)]
    assert rows["i"][0].as_py() == "4999 days"


def test_what_parquet_has_no_type_for_is_text_there(out, capfd):
    sql = "select map() as a, struct_pack() as b, [struct_pack()] as c, [1] as d"
    assert run(f"oracle log query --sql '{sql}' --out out.parquet", capfd).status == 0
    assert duckdb.sql("from 'out.parquet'").fetchall() == [("{}", "{}", "[{}]", [1])]


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("seconds", ["inf", "1e10"])
def test_a_timeout_may_be_beyond_all_clocks(place, capfd, seconds):
    done = run(f"oracle log query --sql 'select 41 + 1' --timeout {seconds}", capfd)
    assert (done.out.split()[-1], done.err) == ("42", "")


def test_a_statement_on_standard_input_is_read_no_further_than_it_may_be_long(place, capfd, monkeypatch):
    with open("/dev/zero") as endless:
        monkeypatch.setattr("sys.stdin", endless)
        done = run("oracle log query --sql -", capfd)
    assert done.status == 2 and "at most 100,000 are read" in done.err


def test_columns_of_one_name_are_both_in_a_table_and_refused_as_json(place, capfd):
    sql = "select 1 as twice, interval 2 day as twice, 3 as n"
    assert run(f"oracle log query --sql '{sql}'", capfd).out.splitlines()[-1].split() == ["1", "2", "days", "3"]
    done = run(f"oracle log query --sql '{sql}' --json", capfd)
    assert (done.status, done.err) == (
        2,
        "error: several columns are called twice: name them apart, such as twice as other\n",
    )
