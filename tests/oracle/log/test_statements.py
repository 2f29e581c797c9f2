"""Statements that try to do more than read, at `query` itself: in every place where a statement may hold another one."""

import re

import pytest

from oracle import UserError
from oracle.base.database import connect
from oracle.cli.main import main
from oracle.log import LogWriter, ask_sql, open_audit, open_log, query, reading
from oracle.log.select import PLUMBING, READS_BY_NAME
from oracle.store import open_store
from oracle.store.build import build_starter_store
from tests.tiny_log import RUN

FILE = "(select content from read_text('/etc/passwd'))"
COPY = "(with x as (copy (select 1) to '{out}') select 1)"
PLACES = [
    "select {}",
    "select 1 where 1 in {}",
    "select 1 where exists {}",
    "select 1 where '1' > any {}",
    "select 1 order by {}",
    "select 1 limit {}",
    "select 1 offset {}",
    "select array{}",
    "select case when {} is null then 1 end",
    "select [x for x in [1] if {} is null]",
    "select list_transform([1], lambda x: {})",
    "select sum(1) over (order by {})",
    "select sum(1) over (partition by {})",
    "select sum(1) over (rows between {} preceding and current row)",
    "select count(*) filter (where {} is null)",
    "select string_agg('a', 'b' order by {})",
    "select 1 group by grouping sets ((), ({}))",
    "select 1 having {} is null",
    "select 1 qualify row_number() over () = {}",
    "select distinct on ({}) 1",
    "from {}",
    "from runs join {} on true",
    "from runs, lateral {}",
    "from runs positional join {}",
    "from runs semi join {} on true",
    "from (values ({}))",
    "from range({})",
    "select * replace ({} as run_id) from runs",
    "(select 1) union all {}",
    "select 1 intersect {}",
    "with y as materialized {} from y",
    "with recursive y(n) as (select 1 union all {}) from y",
    "from (pivot {} on 1 using count(*))",
    "describe {}",
    "summarize {}",
    "select coalesce(null, {})",
]
WHOLE = [
    "from '/etc/passwd'",
    'from "/etc/passwd"',
    "from 'file:///etc/passwd'",
    "from '{log}/../store.duckdb'",
    "from '{log}/../../../../../../etc/hostname'",
    "from 'https://example.com/a.parquet'",
    "from 's3://a/b.parquet'",
    "describe '/etc/passwd'",
    "summarize '/etc/passwd'",
    "select ('/etc/passwd').read_text()",
    "select list_aggregate(['/etc/passwd'], 'read_text')",
    "from system.main.query('select 1')",
    "from \"query\"('select 1')",
    "from query_table(['runs'])",
    "select getenv('HOME')",
    "select current_query()",
    "from duckdb_settings()",
    "from duckdb_secrets",
    "from pragma_storage_info('runs')",
    "from force_checkpoint('memory')",
    "from single_rows('../../../../etc/passwd', ['/etc'])",
    "select json_serialize_plan('select 1')",
    "with x as (insert into store.titles values (1)) select 1",
    "with x as (merge into store.titles using runs on true when matched then delete returning *) from x",
    "with x as (attach 'x') from x",
    "with x as (set variable y = 1) from x",
    "with x as (call pragma_version()) from x",
    "explain analyze select 1",
    "create temp macro m() as 1",
    "create secret (type s3)",
    "update extensions",
    "set lock_configuration = false",
    "copy from database store to memory",
    "comment on view runs is 'x'",
    "begin",
    "show memory_limit",
    "show secret_directory",
    "show variables",
    "from (show databases)",
    "from pg_catalog.pg_settings",
    'from system."PG_SETTINGS"',
    "from duckdb_databases()",
    "from duckdb_databases",
    "from pragma_database_list",
    "from duckdb_logs",
    "from pg_proc",
    "from duckdb_functions()",
    "with pg_settings as (from pg_settings) from pg_settings",
    "describe pg_settings",
    "select (select setting from pg_settings limit 1)",
    "select log_root()",
    "select alias_files()",
    "from log_rows('*')",
    "from merged_rows('../../run.parquet', ['x'])",
    "select list_transform(['x'], lambda x: single_files(x))",
    "from single_rank_sums(['/etc'])",
    "from connection",
    "from params",
    "select $1",
]


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audit")
    build_starter_store(folder / "store.duckdb")
    LogWriter(folder / "store.log", RUN).close()
    with open_audit(folder / "store.duckdb") as connection:
        yield connection, folder


@pytest.mark.parametrize("sql", [*(p.format(q) for p in PLACES for q in (FILE, COPY)), *WHOLE])
def test_a_statement_that_does_more_than_read_is_refused_wherever_it_hides(audit, sql):
    connection, folder = audit
    there = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    with pytest.raises(UserError):
        query(
            connection, sql.replace("{out}", f"{folder}/stolen").replace("{log}", f"{folder}/store.log"), timeout_s=20
        )
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == there


@pytest.mark.parametrize(
    "sql",
    [
        "show tables",
        "show all tables",
        "describe",
        "describe runs",
        "summarize runs",
        "from duckdb_columns() where table_name = 'verdicts'",
        "from duckdb_views",
        "from information_schema.columns",
        "from information_schema.tables",
        "from (show tables)",
        "with settings as (select 1) from settings",
        "select training_run(settings) from runs",
    ],
)
def test_names_and_columns_may_be_asked_for(audit, sql):
    connection, folder = audit
    assert str(folder) not in str(query(connection, sql, timeout_s=20).to_pylist())


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select " + "(" * 3000 + "1" + ")" * 3000, "nested too deeply"),
        ("select " + "abs(" * 1500 + "1" + ")" * 1500, "nested too deeply"),
        ("from " + "(" * 3000 + "range(1)" + ")" * 3000, "nested too deeply"),
        ("select ((" + "[{" * 40_000, "nested too deeply"),
        ("select \u00a0$$ $$ from " + "(" * 3000 + "range(1)" + ")" * 3000, "nested too deeply"),
        ("select B'\u00a0$1$'", "Parser Error: Bit string literal"),
        ("select 'é)' || " + "(/*)*/" * 2000, "nested too deeply"),
        ("select " + "1+" * 2000 + "1", "too many terms in a row"),
        ("select " + "[" * 100 + "1" + "]" * 100, "the answer can't be handed on"),
        ("select " + "1," * 50_000 + "1", "the statement has 100,008 characters, and at most 100,000 are read"),
        ("select 1;" * 1000, "expected one SELECT, got 1,000 statements"),
        ("from (pivot runs on kind using count(*))", "a PIVOT that does not name its values: write ON … IN"),
        ("select x" + "y" * 5000, "Binder Error"),
        ("select x" + "y" * 5000 + "()", "is not among those that it may call"),
    ],
    ids=[
        "parentheses",
        "calls",
        "a table",
        "what is open",
        "behind odd spaces",
        "an odd literal",
        "among comments",
        "sums",
        "lists",
        "columns",
        "statements",
        "a pivot",
        "a name",
        "a function",
    ],
)
def test_what_is_too_deep_or_too_long_is_told_in_one_short_line(audit, sql, said):
    with pytest.raises(UserError, match=said) as refused:
        query(audit[0], sql, timeout_s=20)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600


def test_brackets_in_texts_and_side_by_side_are_no_depth(audit):
    sql = f"select '{'(' * 1000}' as a, len([{'(1),' * 1000} (1)]) as b -- {'[' * 1000}"
    assert query(audit[0], sql, timeout_s=20).to_pylist() == [{"a": "(" * 1000, "b": 1001}]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("(case when range > 5000 then 'a' else '1' end)::int", "Could not convert string 'a'"),
        ("case when range > 5000 then error('a' || chr(10) || 'b') else 1 end", "Invalid Input Error: a b"),
        ("list_sum(list_transform(range(1000), lambda x: hash(x + range) % 7))", "was stopped after 0.5 s"),
    ],
    ids=["a conversion", "lines", "time"],
)
def test_what_fails_behind_the_first_rows_is_told_as_well(audit, sql, said):
    with pytest.raises(UserError, match=said):
        query(audit[0], f"select {sql} from range(100_000)", timeout_s=0.5, most=50_000)


def test_a_fault_of_duckdb_itself_is_told_in_a_line_wherever_it_is_asked(tmp_path, capsys):
    fault = "select reservoir_quantile(range, 0.5, 2147483647) from range(20000) group by range"
    LogWriter(tmp_path / "store.log", RUN).close()
    with open_log(tmp_path / "store.log") as log, pytest.raises(UserError, match=r"^DuckDB itself failed at this"):
        ask_sql(log, fault)
    assert main(["log", "query", "--sql", fault, "--store", f"{tmp_path}/store.duckdb"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error: DuckDB itself failed at this")


def test_too_little_memory_is_told_without_advice_that_nobody_can_follow():
    with connect() as connection:
        connection.execute("set memory_limit = '20MB'; set temp_directory = ''")
        for most in (None, 10):
            with pytest.raises(UserError, match="the query needs more memory than it may have: narrow"):
                query(connection, "select list(range) over () from range(10_000_000)", most=most)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "was stopped"), (-1, "was stopped"), (float("nan"), "expected a number")]
)
def test_no_time_limit_is_taken_for_none(audit, seconds, said):
    with pytest.raises(UserError, match=said):
        query(audit[0], "select sum(a.range) from range(10_000_000) a, range(10_000_000) b", timeout_s=seconds)


def test_a_query_that_was_stopped_interrupts_no_later_one(audit, monkeypatch):
    monkeypatch.setattr(reading, "AGAIN_S", 0)
    for _ in range(30):
        with pytest.raises(UserError, match="was stopped"):
            query(audit[0], "select sum(a.range) from range(10_000_000) a, range(10_000_000) b", timeout_s=0.001)
        assert audit[0].sql("select sum(range) from range(1000)").fetchall() == [(499500,)]


@pytest.mark.parametrize("place", PLACES)
def test_the_same_places_hold_a_query_of_the_log(audit, place):
    """So that what is refused above is refused for what it does, not for its place."""
    try:
        query(audit[0], place.format("(select count(*) from runs)"), timeout_s=20)
    except UserError as error:
        assert "reads the log only" not in str(error)


@pytest.mark.parametrize(
    "sql",
    [
        "from '{secret}'",
        'select title from "secret.csv"',
        "select (select title from 'secret.csv')",
        "with runs as (from '{secret}') from runs",
        "with \"secret.csv\" as (select 1) from 'secret.csv'",
        "from (describe (from '{secret}'))",
        "from secret.csv",
        "from main.csv",
        "from memory.csv",
        "describe main.csv",
        "from (summarize temp.main.csv)",
        "from check_films(main.csv)",
        'from "{secret}"',
        "from runs, lateral (select * from secret.csv)",
        "from check_films('secret.csv')",
        'from check_films("secret.csv")',
        "from check_films(secret.csv)",
        "from check_films('{secret}')",
        "from resolve_titles('{secret}')",
        "select title from resolve_titles(queries := secret.csv)",
    ],
)
def test_no_file_is_read_by_its_name_though_the_connection_is_not_locked(tmp_path, sql, monkeypatch):
    LogWriter(tmp_path / "store.log", RUN).close()
    store = build_starter_store(tmp_path / "store.duckdb")
    for name in ("secret", "main", "memory", "temp.main"):
        (tmp_path / f"{name}.csv").write_text("title,year\nhidden,2000\n")
    monkeypatch.chdir(tmp_path)
    with open_log(tmp_path / "store.log") as log, open_store(store) as own:
        for connection in (log, own):
            with pytest.raises(UserError, match="this reads the log only"):
                query(connection, sql.format(secret=tmp_path / "secret.csv"), timeout_s=20)
        right = query(
            own,
            "with t as (select 'Saw' as title, 2004 as year, ['Arachnophobia / reptile phobia'] as constraints) from check_films(t)",
        )
        assert right.num_rows == 1


@pytest.mark.parametrize(
    "sql", ["from '{secret}'", "select * from read_csv('{secret}')", "from rows", "from arguments"]
)
def test_a_log_without_a_store_is_locked_as_well(tmp_path, capsys, sql):
    LogWriter(tmp_path / "store.log", RUN).close()
    (tmp_path / "secret.csv").write_text("word\nhidden\n")
    sql = sql.format(secret=tmp_path / "secret.csv")
    assert main(["log", "query", "--sql", sql, "--store", f"{tmp_path}/store.duckdb"]) == 2
    assert "hidden" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "sql",
    [
        "with q as (select 1 as a, 'x' as text, 2 as b, 3 as c) from title_variants(['q', 'pg_settings'])",
        "from nearest_titles('pg_settings')",
        "with q as (from runs) from check_films(['q', 'pg_settings'])",
        "from check_films('pg_' || 'settings')",
        "from resolve_titles('duckdb_databases')",
        "from resolve_titles(pg_catalog.pg_settings)",
        "from check_films(films := 'system.pg_catalog.\"PG_Settings\" ')",
        "from check_films(risk_threshold := 0.5, films := pg_settings)",
        "from (from check_films(pg_catalog.pg_settings))",
        "select bin from histogram(pg_settings, setting, bin_count := 400)",
        'from system.main."Histogram"(duckdb_databases, path)',
        "from runs, lateral (from histogram_values(pragma_database_list, file))",
    ],
)
def test_no_macro_reads_a_table_that_a_statement_may_not(audit, sql):
    with pytest.raises(UserError, match="this reads the log only"):
        query(audit[0], sql, timeout_s=20)


def test_all_macros_that_read_a_table_or_a_file_by_its_name_are_known(audit):
    """Those that hand an argument on to what reads by name, at any depth."""
    made = "select function_name, parameters, macro_definition from duckdb_functions() where not internal and macro_definition is not null"
    macros, by_name = audit[0].sql(made).fetchall(), {"query_table", r"read_\w+", "glob"}
    for _ in macros:
        by_name |= {
            name
            for name, parameters, text in macros
            if re.search(rf"\b({'|'.join(by_name)})\W?\([^,)]*\b({'|'.join(parameters) or 'none at all'})\b", text)
        }
    names = {name for name, *_ in macros if name in by_name}
    assert {"title_matches", "log_rows"} | READS_BY_NAME <= names
    assert all(map(PLUMBING.fullmatch, names - READS_BY_NAME)), names


def test_all_macros_that_tell_a_path_are_known(audit):
    macros = (
        "select function_name, macro_definition from duckdb_functions() where not internal and function_type = 'macro'"
    )
    tells = {
        name for name, made in audit[0].sql(macros).fetchall() if PLUMBING.search(made) or "getvariable('log" in made
    }
    assert "newest_single_files" in tells and all(map(PLUMBING.fullmatch, tells))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("'gore'", "no trait gore: names are written in full here, and FROM traits lists them"),
        ("'anti-gore / squeamish'", "no trait anti-gore / squeamish: "),
        ("null", "no trait NULL: "),
        ("'Anti-gore / squeamish', risk_threshold := null", "risk_threshold NULL: expected a number above 0"),
        ("'Anti-gore / squeamish', risk_threshold := 66", "risk_threshold 66: expected"),
        ("'Anti-gore / squeamish', risk_threshold := 'nan'::double", "risk_threshold nan: expected"),
    ],
)
def test_no_film_is_safe_by_a_trait_or_a_threshold_that_is_none(audit, arguments, said):
    for film in ("'Saw', 2004", "'No film of that name', null"):
        with pytest.raises(UserError, match=said):
            query(audit[0], f"from check_film({film}, {arguments})")


@pytest.mark.parametrize("table", ["'wanted'", "wanted", "films := 'wanted', risk_threshold := 0.5"])
def test_a_table_of_films_may_be_judged(audit, table):
    wanted = "with wanted as (select 'Saw' as title, 2004 as year, ['Anti-gore / squeamish'] as constraints)"
    assert query(audit[0], f"{wanted} from check_films({table})")["status"].to_pylist() == ["unsafe"]


@pytest.mark.parametrize("name", ["given", "rules", "asked", "fits", "risks", "judged", "wanted"])
def test_a_table_of_films_may_have_any_name_and_other_columns(audit, name):
    wanted = f"with {name} as (select 'Saw' as title, 2004 as year, ['Anti-gore / squeamish'] as constraints, 0.1 as threshold, 1 as known)"
    assert query(audit[0], f"{wanted} from check_films({name})")["status"].to_pylist() == ["unsafe"]


def test_a_table_of_titles_may_be_resolved(audit):
    wanted = "with wanted as (select 'Saw' as title, 2004 as year)"
    for table in ("'wanted'", "wanted", "queries := wanted"):
        assert query(audit[0], f"{wanted} from resolve_titles({table})")["match_method"].to_pylist() == ["exact"]
