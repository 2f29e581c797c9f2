"""What a caller gives to a macro is the caller's: its columns, and not those of the tables within; and the tables are the log's."""

import json

import duckdb
import pytest

from oracle import build_store
from oracle.log import open_audit, query
from oracle.log.select import PLUMBING
from tests.app.sample_log import write_sample
from tests.tiny_log import write_tiny_log

TRAIT = "Anti-gore / squeamish"


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    with open_audit(write_sample(tmp_path_factory.mktemp("macros"), steps=2)) as connection:
        yield connection


@pytest.fixture(scope="module")
def runs(audit) -> list[str]:
    return [row["run_id"] for row in ask(audit, "select run_id from runs order by run_id")]


def ask(audit, sql: str) -> list[dict]:
    return query(audit, sql).to_pylist()


def names(table: str, *columns: str) -> list[tuple[str, list[str]]]:
    """Ways to name a table and its columns: as itself, by letters that macros use too, and by the bare columns."""
    aliases = ["v", "r", "s", "w", "k", "own", "runs", "verdicts", "rows_of", "asked", "its"]
    return [(table, list(columns)), *((f"{table} {a}", [f"{a}.{column}" for column in columns]) for a in aliases)]


@pytest.mark.parametrize(("table", "columns"), names("violations", "run_id", "step", "completion", "rank"))
def test_why_is_asked_of_many_ranks_at_once(audit, table, columns):
    found = ask(
        audit,
        f"select told.run_id, told.step, told.completion, told.rank, sentence from {table}, why({', '.join(columns)}) as told order by all",
    )
    assert len(found) == len(ask(audit, "select rank from violations")) > 100
    for row in found[::40]:
        key = f"'{row['run_id']}', {row['step']}, {row['completion']}, {row['rank']}"
        assert ask(audit, f"select sentence from why({key})") == [{"sentence": row["sentence"]}]


@pytest.mark.parametrize(("table", "columns"), names("runs", "run_id"))
@pytest.mark.parametrize(
    "call",
    [
        "select count(*) as n, sum(advantage) as x from log_export({})",
        "select max(svr_if) as x, count(*) as n from what_if_summary({}, new_threshold := 0.3)",
        "select count(*) as n, count(*) filter (is_safe <> safe_if) as x from what_if({}, new_threshold := 0.3)",
        "select count(*) as n, sum(difference) as x from rederive({})",
        "select count(*) as n, sum(value_b) as x from compare_runs({}, (select max(run_id) from main.runs))",
    ],
)
def test_macros_are_asked_of_many_runs_at_once(audit, runs, call, table, columns):
    asked = call.format(columns[0])
    rows = ask(audit, f"select {columns[0]} as run, (select (n, x) from ({asked})) as found from {table} order by run")
    for row, run in zip(rows, runs, strict=True):
        [alone] = ask(audit, call.format(f"'{run}'"))
        assert list(row["found"].values()) == pytest.approx([alone["n"], alone["x"]], nan_ok=True), run


def test_settings_of_what_if_may_be_columns_too(audit, runs):
    sql = "select t.lambda_safe as given, w.step, punished_if, mean_total_reward_if from (select 7.0::double as lambda_safe) {0}, what_if_summary('{1}', new_lambda := {2}) w order by step"
    alone = ask(audit, sql.format("t", runs[0], "7.0"))
    for given in ("t.lambda_safe", "lambda_safe"):
        for row, expected in zip(ask(audit, sql.format("t", runs[0], given)), alone, strict=True):
            assert row == pytest.approx(expected)


def test_films_are_judged_and_looked_up_by_columns_of_any_name(audit):
    films = "(select 'Saw' as title, 2004 as year, 'Anti-gore / squeamish' as trait union all select 'Up', 2009, 'Anti-gore / squeamish')"
    for columns in ("t.title, t.year, t.trait", "title, year, trait"):
        sql = f"select t.title, status from {films} t, check_film({columns}) f order by all"
        assert ask(audit, sql) == [{"title": "Saw", "status": "unsafe"}, {"title": "Up", "status": "safe"}]
    for macro in ("similar_titles", "could_be"):
        for columns in ("t.title, t.year", "title, year"):
            found = ask(
                audit,
                f"select t.title, list(near_title) as near from {films} t, {macro}({columns}) f group by all order by all",
            )
            alone = [ask(audit, f"select near_title from {macro}({film})") for film in ("'Saw', 2004", "'Up', 2009")]
            assert [sorted(row["near"]) for row in found] == [sorted(n["near_title"] for n in near) for near in alone]
    sources = ask(
        audit, "select imdb_id, (select count(*) from film_sources(imdb_id)) as n from titles order by imdb_id limit 3"
    )
    for row in sources:
        assert ask(audit, f"select count(*) as n from film_sources('{row['imdb_id']}')") == [{"n": row["n"]}]


@pytest.mark.parametrize(
    "named", ["verdicts", "rollouts", "runs", "trait_risk", "title_index", "traits", "title_keys", "rank_sums"]
)
def test_a_table_of_the_caller_s_own_is_not_the_log_s(audit, runs, named):
    for call in (
        "select status as x from check_film('Saw', 2004, 'Anti-gore / squeamish')",
        f"select max(svr_if) as x from what_if_summary('{runs[0]}')",
        f"select sum(value_b) as x from compare_runs('{runs[1]}', '{runs[2]}')",
        f"select count(*) filter (differs) as x from rederive('{runs[0]}')",
        f"select count(*) as x from log_export('{runs[0]}')",
        f"select sentence as x from why('{runs[0]}', 1, 0, 1)",
        "select chosen_run() as x",
        "select chosen_other_run() as x",
        "select chosen_step() as x",
    ):
        right = ask(audit, call)
        assert ask(audit, f"with {named} as (from main.{named} where false) {call}") == right, call


def _nodes(tree):
    for part in tree if isinstance(tree, list) else tree.values() if isinstance(tree, dict) else ():
        yield from _nodes(part)
    if isinstance(tree, dict):
        yield tree


def _columns(tree) -> set[str]:
    return {node["column_names"][0] for node in _nodes(tree) if node.get("class") == "COLUMN_REF"}


def test_a_lambda_that_has_an_argument_within_has_a_parameter_that_no_caller_has(audit):
    """DuckDB puts an argument into the macro's text as it is: what the caller calls e would be the lambda's e."""
    made = (
        "select function_name, function_type, parameters, macro_definition from duckdb_functions() where not internal"
    )
    found = set()
    for name, kind, parameters, text in audit.sql(made).fetchall():
        sql = text if kind == "table_macro" else f"select {text}"
        [(tree,)] = audit.execute("select json_serialize_sql($1::varchar)", [sql]).fetchall()
        for node in _nodes(json.loads(tree)):
            if (
                node.get("class") == "LAMBDA"
                and _columns(node["expr"]) & {*parameters}
                and not PLUMBING.fullmatch(name)
            ):
                found.add(name)
                assert all(own.startswith("its_") for own in _columns(node["lhs"])), name
    assert {"traits_at", "standard_title"} <= found


@pytest.mark.parametrize("alias", ["e", "digits", "its", "v"])
def test_a_caller_s_alias_is_its_own_within_a_lambda(audit, alias):
    joined = f"from verdicts join (select 0.99 as risk) {alias} on true"
    [row] = ask(
        audit,
        f"select sum(len(traits_at(evidence, {alias}.risk))) as n, sum(len(traits_at(evidence, 0.99))) as alone, "
        f"any_value(risk_text({alias}.risk, {alias}.risk)) as text {joined}",
    )
    assert row["n"] == row["alone"] and row["text"] == "0.99"
    for word in ("words", "folded", "w", "form"):
        asked = f"select list_transform(['The', 'Rocky II'], lambda {word}: normalise_title({word})) as them"
        assert ask(audit, asked) == [{"them": ["the", "rocky 2"]}]


def test_of_two_stores_in_one_session_the_macros_are_those_of_the_one_in_use(tmp_path):
    film = [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}]
    for name, risk, runs in (("a", 0.9, 2), ("b", 0.1, 1)):
        store = build_store(tmp_path / f"{name}.duckdb", film, [{"imdb_id": "387564", "trait": TRAIT, "risk": risk}])
        for _ in range(runs):
            write_tiny_log(store.with_suffix(".log"))
    with duckdb.connect() as session:
        for name in ("a", "b"):
            session.execute(f"attach '{tmp_path}/{name}.duckdb' as {name} (read_only)")
        for name, status, runs in (("a", "unsafe", 2), ("b", "safe", 1)):
            assert session.sql(f"select count(*) from {name}.runs").fetchall() == [(runs,)], "views need no USE"
            session.execute(f"use {name}")
            assert session.execute("select status from check_film('Saw', 2004, ?)", [TRAIT]).fetchall() == [(status,)]
            assert session.sql("select count(*) from summary_of_runs(false)").fetchall() == [(runs,)]


def test_every_macro_names_its_tables_with_their_schema(audit):
    """Else a CTE of the caller's of that name takes the table's place."""
    made = audit.execute(
        "select function_name, macro_definition from duckdb_functions() where not internal and function_type like '%macro'"
    ).fetchall()
    loose = {(name, table) for name, sql in made for table in _loose_tables(audit, sql)}
    assert loose == set()


def _loose_tables(audit, sql: str) -> set[str]:
    text = sql if sql.strip().lower().startswith(("select", "with", "from", "(")) else f"select {sql}"
    [(tree,)] = audit.execute("select json_serialize_sql($1::varchar)", [text]).fetchall()
    parts, left = [], [json.loads(tree)]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            parts.append(part)
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)
    ctes = {entry["key"] for part in parts for entry in part.get("cte_map", {}).get("map", [])}
    tables = {p["table_name"] for p in parts if p.get("type") == "BASE_TABLE" and not p["schema_name"]}
    return tables - ctes
