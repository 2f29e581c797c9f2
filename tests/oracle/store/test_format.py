"""A store's format: older ones are brought up to date from what they hold, and a changed statement asks for a new number."""

import shlex
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from oracle import UserError, build_store, confirm_alias, create_oracle
from oracle.base.resources import read_sql
from oracle.cli.main import main
from oracle.log import open_audit
from oracle.sources import load_sources, recognise
from oracle.store import STORE_FORMAT, made_from, updated_store, upgrade_store
from oracle.store.file import DERIVATIONS

FILM = [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}]
TAGS = [{"imdb_id": "tt0387564", "tag": "a zebra"}]
GORE = "Anti-gore / squeamish"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A store as format 2 had it: with derived_by, without a table of today's, and with other derived tables."""
    store = build_store(
        tmp_path / "s.duckdb", FILM, [{"imdb_id": "387564", "trait": GORE, "risk": 0.9}], film_tags=TAGS
    )
    with duckdb.connect(str(store)) as connection:
        connection.execute(
            "update store_info set schema_version = 2, description = 'mine', created_at = timestamptz '2020-01-01'; "
            "alter table store_info add column derived_by varchar; drop table title_alias cascade; "
            "drop view index_titles; create table index_titles (n integer); delete from trait_risk"
        )
    return store


def test_a_store_of_an_older_format_is_refused_with_the_command_that_updates_it(older: Path) -> None:
    for use in (lambda: create_oracle(store=older), lambda: updated_store(older).__enter__()):
        with pytest.raises(
            UserError, match=f"format 2, and this program needs {STORE_FORMAT}: run python -m oracle store update"
        ):
            use()


def test_the_command_that_updates_a_store_works_as_it_is_told_whatever_the_name_of_the_store(older: Path) -> None:
    store = older.rename(older.with_name('it\'s my "store" $1.duckdb'))
    with pytest.raises(UserError) as refused:
        create_oracle(store=store)
    words = shlex.split(str(refused.value).partition(": run ")[2])
    assert words[:3] == ["python", "-m", "oracle"] and main(words[3:]) == 0
    assert create_oracle(store=store)


def test_nobody_audits_by_the_rules_of_another_format(older: Path, capsys: pytest.CaptureFixture) -> None:
    for number, do in ((2, "run python -m oracle store update"), (STORE_FORMAT + 1, "update it")):
        with duckdb.connect(str(older)) as connection:
            connection.execute("update store_info set schema_version = ?", [number])
        for copied in (False, True):
            with pytest.raises(UserError, match=f"is a store of format {number}, and this program .*: {do}"):
                open_audit(older, copied=copied)
        assert main(["log", "query", "runs", "--store", str(older)]) == 2
        assert f"is a store of format {number}" in capsys.readouterr().err


def test_a_store_is_brought_up_to_date_from_what_it_holds(older: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["store", "update", str(older)]) == 0
    assert capsys.readouterr().out == f"{older} (format {STORE_FORMAT}): was of format 2, and is up to date\n"
    verdict = create_oracle(store=older).check_safety("Saw", 2004, {GORE: True})
    assert verdict.violations == ["Anti-gore / squeamish: risk=0.90"]
    with duckdb.connect(str(older), read_only=True) as connection:
        assert connection.sql("select tag from film_tags").fetchall() == [("a zebra",)]
        assert connection.sql("select schema_version, description, year(created_at) from store_info").fetchall() == [
            (STORE_FORMAT, "mine", 2020)
        ]
    made = made_from(older)
    assert main(["store", "update", str(older)]) == 0
    assert "was of that format already, and is made anew" in capsys.readouterr().out
    confirm_alias(older, "Saw it", None, "tt0387564")
    assert made_from(older) == made
    with updated_store(older) as connection:
        connection.execute("insert into sources (source_id, kind) values (1, 'severities')")
    assert made_from(older) != made


def test_an_update_keeps_which_source_each_row_is_of(tmp_path: Path) -> None:
    risks = tmp_path / "risks.csv"
    risks.write_text(f"imdb_id,trait,risk\ntt0387564,{GORE},0.9\ntt1,{GORE},0.8\n")
    store = build_store(tmp_path / "s.duckdb", [*FILM, {"imdb_id": "tt1", "title": "Up", "year": 2009}])
    load_sources(store, recognise([risks]))
    made = made_from(store)
    with duckdb.connect(str(store)) as connection:
        connection.execute("update store_info set schema_version = ?", [STORE_FORMAT - 1])
    upgrade_store(store)
    assert made_from(store) == made
    risks.write_text(f"imdb_id,trait,risk\ntt0387564,{GORE},0.7\n")
    load_sources(store, recognise([risks]))
    with duckdb.connect(str(store), read_only=True) as connection:
        assert connection.sql("select imdb_id, risk from given_risk").fetchall() == [("tt0387564", 0.7)]


def test_an_update_keeps_whatever_is_somebody_s_own(older: Path, capsys: pytest.CaptureFixture) -> None:
    with duckdb.connect(str(older)) as connection:
        connection.execute(
            'create table "my ""notes" (n integer primary key default 7); insert into "my ""notes" default values; '
            "create view z_titles as select title from titles; create view a_titles as from z_titles; "
            "create schema mine; create table mine.kept as select 42 as n; create view mine.all_titles as from titles; "
            "create macro mine.twice(n) as 2 * n; create sequence numbers start 5; "
            "create table parts (n integer primary key, twice integer as (2 * n)); insert into parts (n) values (1); "
            "create table of_parts (n integer references parts (n)); insert into of_parts values (1); "
            "create table could_be as select 6 as n; create table film_id as select 8 as n; "  # macros have names of their own
            "alter table titles add column seen_on date"
        )
    assert main(["store", "update", str(older)]) == 0
    assert capsys.readouterr().err == "not kept, as a store has no such columns: titles.seen_on\n"
    with duckdb.connect(str(older)) as connection:
        for said, rows in {
            'from "my ""notes"': [(7,)],
            "from a_titles": [("Saw",)],
            "select mine.twice(n) from mine.kept": [(84,)],
            "select title from mine.all_titles": [("Saw",)],
            "select twice from parts join of_parts using (n)": [(2,)],
            "select could_be.n + film_id.n from could_be, film_id": [(14,)],
            "select nextval('numbers')": [(5,)],
            "select count(*) > 0 from index_titles": [(True,)],  # a view of today's
        }.items():
            assert connection.sql(said).fetchall() == rows
        with pytest.raises(duckdb.ConstraintException):
            connection.execute('insert into "my ""notes" values (7)')


def test_an_update_that_somebody_s_own_table_forbids_changes_nothing(older: Path) -> None:
    with duckdb.connect(str(older)) as connection:
        connection.execute("create table seen (trait varchar references traits (trait))")
    before = older.read_bytes()
    with pytest.raises(UserError, match=r'cannot be brought up to date: .*key table of the table "seen"'):
        upgrade_store(older)
    assert older.read_bytes() == before


def test_a_store_that_cannot_be_brought_up_to_date_stays_as_it_was(older: Path) -> None:
    with duckdb.connect(str(older)) as connection:
        connection.execute("drop table catalog cascade; create table catalog (title integer[])")
        connection.execute("insert into catalog values (null)")
    before = older.read_bytes()
    with pytest.raises(UserError, match="cannot be brought up to date"):
        upgrade_store(older)
    assert older.read_bytes() == before
    with pytest.raises(UserError, match="no store at"):
        upgrade_store(older.with_name("none.duckdb"))


def test_a_store_of_a_later_format_is_refused(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    with duckdb.connect(str(store)) as connection:
        connection.execute("update store_info set schema_version = 99")
    with pytest.raises(UserError, match=f"format 99, and this program knows up to {STORE_FORMAT}: update it"):
        create_oracle(store=store)
    with pytest.raises(UserError, match="format 99"):
        upgrade_store(store)


def test_changed_statements_raise_the_format() -> None:
    """Who changes what a store holds raises STORE_FORMAT (see its docstring) and writes the new pair down here."""
    words = [word for name in ("store/schema", *DERIVATIONS) for word in meaning(read_sql(name))]
    assert (STORE_FORMAT, sha256("\0".join(words).encode()).hexdigest()[:12]) == (10, "3f79609dc5ab")


def meaning(sql: str) -> list[str]:
    """The tokens of the statements, without comments."""
    return [word for line in sql.splitlines() for word in line.split("--")[0].split()]


def test_a_changed_comment_changes_no_meaning() -> None:
    assert meaning("select 1  -- one\n  from t;") == meaning("-- says\nselect 1 from t;") != meaning("select 2 from t;")
