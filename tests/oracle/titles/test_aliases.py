"""Decisions about titles: appended, never lost, never trusted."""

import errno
import json
import multiprocessing
import os
import shutil
import string
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import UserError, build_store, confirm_alias, create_oracle
from oracle.base.database import pattern_of
from oracle.log import beside, open_audit, query
from oracle.store import alias_files
from oracle.titles import nearest
from oracle.titles.aliases import ACTIONS, aliases_path, append_alias, current_decisions
from tests.decisions import current_aliases

SAW = "tt0387564"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store.duckdb"


def test_a_confirmed_title_is_an_alias(store):
    append_alias(store, "Saaw", 2004, SAW, "confirm")
    assert aliases_path(store) == store.parent / "store.duckdb.aliases.jsonl"
    assert current_aliases(store).to_pylist() == [{"title": "Saaw", "year": 2004, "imdb_id": SAW}]


def test_without_a_file_there_are_no_aliases(store):
    assert current_aliases(store).num_rows == 0
    assert current_aliases(store).schema.names == ["title", "year", "imdb_id"]


def test_the_latest_decision_about_a_title_and_year_holds(store):
    append_alias(store, "Saaw", 2004, "tt0000001", "confirm")
    append_alias(store, "Saaw", None, "tt0000002", "confirm")
    append_alias(store, "Saaw", 2004, SAW, "confirm")
    assert current_aliases(store).to_pylist() == [
        {"title": "Saaw", "year": None, "imdb_id": "tt0000002"},
        {"title": "Saaw", "year": 2004, "imdb_id": SAW},
    ]


def test_a_rejected_title_is_no_alias_but_a_decision(store):
    append_alias(store, "Saaw", 2004, SAW, "confirm")
    append_alias(store, "Saaw", 2004, SAW, "reject")
    assert current_aliases(store).num_rows == 0
    assert current_decisions(store)[0]["action"].to_pylist() == ["reject"]


def test_after_an_undo_python_and_sql_follow_the_same_decision_about_titles_of_one_key(store):
    films = [{"imdb_id": SAW, "title": "Saw", "year": 2004}, {"imdb_id": "tt0078748", "title": "Alien", "year": 1979}]
    build_store(store, films)
    for title, film, action in (
        ("Zorb!", "tt0078748", "confirm"), ("Zorb?", SAW, "confirm"), ("Zorb!", SAW, "confirm"), ("Zorb!", None, "undo")
    ):  # fmt: skip
        append_alias(store, title, None, film, action)
    with open_audit(store) as audit:
        found = query(audit, "select imdb_id from check_film('Zorb', null, 'Anti-gore / squeamish')")
    assert create_oracle(store=store).check_safety("Zorb").imdb_id == found["imdb_id"][0].as_py() == SAW


def test_a_title_does_not_mean_a_film_that_a_person_refused(store):
    films = [("tt0387564", "Saw", 2004), ("tt0096895", "Batman", 1989), ("tt0113277", "Heat", 1995)]
    build_store(store, [dict(zip(("imdb_id", "title", "year"), film, strict=True)) for film in films])
    append_alias(store, "Batan", 1989, "tt0096895", "reject")
    append_alias(store, "Saw", 2004, None, "reject")
    append_alias(store, "Heat", 1995, "tt0096895", "reject")  # which it was never taken for
    append_alias(store, "Bateman", 1989, "tt0096895", "reject")
    append_alias(store, "BATEMAN!", 1989, "tt0096895", "confirm")  # the later one of its key holds
    asked = {
        ("Batan", 1989): None, ("batan.", 1989): None, ("Batman", 1989): "exact", ("saw", 2004): None,
        ("Saw", 2005): "exact", ("Saw", None): "exact", ("tt0387564", None): "id", ("Heat", 1995): "exact",
        ("Bateman", 1989): "alias",
    }  # fmt: skip
    oracle = create_oracle(store=store)
    with open_audit(store) as audit:
        for (title, year), method in asked.items():
            [found] = query(
                audit, "from check_film($title, $year, 'Anti-gore / squeamish')", {"title": title, "year": year}
            ).to_pylist()
            verdict = oracle.check_safety(title, year)
            assert (found["match_method"], verdict.match_method) == (method, method), title
        [near] = query(audit, "from could_be('Batan', 1989)").to_pylist()
    assert (near["imdb_id"], near["is_match"], near["why"]) == (
        "tt0096895",
        False,
        "a person said that it is not meant",
    )
    append_alias(store, "Batan", 1989, None, "undo")
    assert create_oracle(store=store).check_safety("Batan", 1989).match_method == "fuzzy"


def test_of_films_that_a_title_fits_alike_none_is_found_where_a_person_refused_one(store):
    """The verdict, and so the page, is of the riskiest of them."""
    films = [("tt0000001", 1978, 0.1), ("tt0000002", 2018, 0.9), ("tt0000003", 2007, 0.2)]
    titles = [{"imdb_id": film, "title": "Halloween", "year": year} for film, year, _ in films]
    build_store(
        store, titles, [{"imdb_id": film, "trait": "Anti-gore / squeamish", "risk": risk} for film, _, risk in films]
    )
    assert create_oracle(store=store).check_safety("Halloween", None, {"gore": True}).imdb_id == "tt0000002"
    append_alias(store, "Halloween", None, "tt0000002", "reject")
    assert create_oracle(store=store).check_safety("Halloween", None, {"gore": True}).imdb_id is None
    with open_audit(store) as audit:
        [found] = query(audit, "from check_film('Halloween', null, 'Anti-gore / squeamish')").to_pylist()
        assert found["imdb_id"] is None
        near = query(audit, "from could_be('Halloween', null)")
    why = dict(zip(near["imdb_id"].to_pylist(), near["why"].to_pylist(), strict=True))
    assert why.pop("tt0000002") == "a person said that it is not meant"
    assert set(why.values()) == {"a person said that another one, which is as close or closer, is not meant"}


names = st.sampled_from(["Saw", "saw!", "Doom", "Dooom", "Alpha", "Alfa", "Alpha Doom", "The Saw"])
years = st.sampled_from([None, 1990, 2004, 2016])
made = st.tuples(  # two films are called Doom: without a year they are ambiguous
    names, years, st.sampled_from(["tt0387564", "game:doom", "game:doom93", "tt9", None]), st.sampled_from(ACTIONS)
)


@settings(max_examples=40, deadline=None)
@given(st.lists(made, min_size=1, max_size=8), st.lists(st.tuples(names, years), min_size=1, max_size=12))
def test_python_and_sql_follow_the_same_decisions(built, decisions, asked):
    kept = [(t, y, film, action) for t, y, film, action in decisions if film or action != "confirm"]
    for title, year, film, action in kept:
        append_alias(built, title, year, film, action)
    try:
        titles, asked_years = zip(*asked, strict=True)
        films = pa.table({"title": titles, "year": pa.array(asked_years, pa.int16()), "constraints": [[]] * len(asked)})
        found = create_oracle(store=built).check_batch(films)
        with open_audit(built) as audit:
            rows = ", ".join(["(?, ?::smallint)"] * len(asked))
            theirs = audit.execute(
                f"with queries(title, year) as (values {rows}) select title, year, imdb_id, match_method from resolve_titles('queries')",
                [value for pair in asked for value in pair],
            ).fetchall()
    finally:
        for file in alias_files(built):
            file.unlink(missing_ok=True)
    sql = {(title, year): (imdb_id, method) for title, year, imdb_id, method in theirs}
    ours = zip(found["imdb_id"].to_pylist(), found["match_method"].to_pylist(), strict=True)
    assert list(ours) == [sql[pair] for pair in asked]


def test_decisions_made_by_way_of_a_link_are_those_of_the_store_as_its_log_is(tmp_path):
    store = build_store(tmp_path / "data" / "store.duckdb", [{"imdb_id": SAW, "title": "Saw", "year": 2004}])
    link = tmp_path / "work" / "films.duckdb"
    link.parent.mkdir()
    link.symlink_to(store)
    append_alias(link, "Zorb", None, SAW, "confirm")
    assert aliases_path(link) == aliases_path(store) and aliases_path(store).exists()
    for path in (link, store):
        assert create_oracle(store=path).check_safety("Zorb").imdb_id == SAW
        with open_audit(path) as audit:
            found = query(audit, "select imdb_id from check_film('Zorb', null, 'Anti-gore / squeamish')")
        assert found["imdb_id"][0].as_py() == SAW
    beside_the_link = link.with_name("films.duckdb.aliases.jsonl")
    beside_the_link.write_text("")  # as an earlier version wrote them
    assert aliases_path(link) == beside_the_link and current_aliases(link).num_rows == 0


def test_undo_brings_the_decision_before_back(store):
    append_alias(store, "Saaw", 2004, SAW, "confirm")
    append_alias(store, "Saaw", 2004, None, "reject")
    append_alias(store, "Saaw", 2004, None, "undo")
    assert current_aliases(store)["imdb_id"].to_pylist() == [SAW]
    for _ in range(3):  # more often than there are decisions
        append_alias(store, "Saaw", 2004, None, "undo")
    assert current_decisions(store)[0].num_rows == 0


@pytest.mark.parametrize(
    "title, year, imdb_id, action, complaint",
    [
        ("", 2004, SAW, "confirm", "1 to 500 characters"),
        ("x" * 501, 2004, SAW, "confirm", "1 to 500 characters"),
        ("\ud800", 2004, SAW, "confirm", "1 to 500 characters"),
        ("Saw\0", 2004, SAW, "confirm", "1 to 500 characters"),
        ("Saw", 20040, SAW, "confirm", "year 20040"),
        ("Saw", True, SAW, "confirm", "year True"),
        ("Saw", 2004, None, "confirm", "needs an imdb_id"),
        ("Saw", 2004, " tt0387564", "confirm", "is no id"),
        ("Saw", 2004, "x" * 101, "confirm", "is no id"),
        ("Saw", 2004, "", "reject", "is no id"),
        ("Saw", 2004, SAW, "delete", "none of confirm, reject, undo"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_and_not_noted(store, title, year, imdb_id, action, complaint):
    with pytest.raises(UserError, match=complaint):
        append_alias(store, title, year, imdb_id, action)
    assert not aliases_path(store).exists()


def test_hostile_lines_are_left_out_and_counted(store, caplog):
    append_alias(store, "Saaw", 2004, SAW, "confirm")
    good = json.loads(aliases_path(store).read_text())
    hostile = [
        b"\xff\xfe not utf-8",
        b"[" * 100_000,
        b"null",
        b'"confirm"',
        json.dumps({**good, "imdb_id": "'; drop table titles; -- "}).encode(),
        json.dumps({**good, "title": 7}).encode(),
        json.dumps({**good, "year": 1e300}).encode(),
        json.dumps({**good, "at": None}).encode(),
        json.dumps({**good, "extra": 1}).encode(),
        json.dumps({k: v for k, v in good.items() if k != "at"}).encode(),
        json.dumps({**good, "title": "\ud800"}).encode(),
    ]
    with open(aliases_path(store), "ab") as file:
        file.write(b"\n".join(hostile) + b"\n\n")
    append_alias(store, "Aliien", None, "tt0078748", "confirm")
    decisions, ignored = current_decisions(store)
    assert ignored == len(hostile)
    assert decisions["title"].to_pylist() == ["Saaw", "Aliien"]
    assert f"left out {len(hostile)} lines" in caplog.text


def test_a_line_torn_by_a_killed_process_spoils_no_other(store):
    append_alias(store, "Saaw", 2004, SAW, "confirm")
    whole = aliases_path(store).read_bytes()
    for length in range(1, len(whole)):
        aliases_path(store).write_bytes(whole + whole[:length])
        append_alias(store, "Aliien", 1979, "tt0078748", "confirm")
        assert current_aliases(store)["title"].to_pylist() == ["Saaw", "Aliien"]


def test_a_decision_that_found_no_room_on_the_disk_is_told_and_is_none(store):
    """Whatever part of its line was written; a whole one without its end would be a decision. The next decision is noted."""
    resource = pytest.importorskip("resource")
    append_alias(store, "Saaw", 2004, SAW, "confirm")
    path, limits = aliases_path(store), resource.getrlimit(resource.RLIMIT_FSIZE)
    whole = path.read_bytes()
    needed = len(whole.replace(b"confirm", b"reject"))
    for torn in (b"", b"{"):
        for room in range(len(torn), 2 * len(torn) + needed):  # a torn line is ended first
            path.write_bytes(whole + torn)
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + room, limits[1]))
            try:
                with pytest.raises(
                    UserError, match=r"aliases.jsonl: (No space left on device|File too large); free some"
                ):
                    append_alias(store, "Saaw", 2004, SAW, "reject")
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            assert current_decisions(store)[0]["action"].to_pylist() == ["confirm"]
            append_alias(store, "Aliien", 1979, "tt0078748", "confirm")
            decisions, ignored = current_decisions(store)
            assert (decisions["title"].to_pylist(), ignored) == (["Saaw", "Aliien"], len(torn))


def test_a_decision_that_the_disk_refuses_in_the_end_is_none_and_another_process_loses_nothing(store, monkeypatch):
    """As NFS refuses at the end what no longer fits."""

    def refuse(handle: int) -> None:
        monkeypatch.undo()
        append_alias(store, "Aliien", 1979, "tt0078748", "confirm")  # by another process meanwhile
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UserError, match="quota exceeded; free some space"):
        append_alias(store, "Saaw", 2004, SAW, "confirm")
    assert current_decisions(store)[0]["title"].to_pylist() == ["Aliien"]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A store of a few films, whose file of decisions each test writes anew."""
    films = [
        ("tt0387564", "Saw", 2004),
        ("game:doom", "Doom", 2016),
        ("game:doom93", "Doom", 1993),
        ("tt0000003", "Alpha", 1990),
    ]
    rows = [dict(zip(("imdb_id", "title", "year"), film, strict=True)) for film in films]
    return build_store(tmp_path_factory.mktemp("built") / "it's.duckdb", rows)


def line(**changed: object) -> bytes:
    decision = {"title": "Saaw", "year": 2004, "imdb_id": "tt0387564", "action": "confirm", "at": "now"}
    return json.dumps(decision | changed, ensure_ascii=False).encode()


MARK = "\ufeff".encode()
EDITED = {  # by hand -> is it a decision
    "begun with a mark": (MARK + line(), True),
    "begun with two": (MARK + MARK + line(), False),
    "ended as on Windows": (line() + b"\r", True),
    "a mark within": (line() + MARK, False),
    "UTF-16": (line().decode().encode("utf-16"), False),
    "a comma behind the last pair": (line()[:-1] + b" , } ", False),
    "a comma in braces within": (line(title="Saaw, }"), True),
    "a name twice": (line()[:-1] + b', "title": "Saaw"}', False),
    "a name twice, one lacking": (line()[:-1].replace(b"year", b"title") + b"}", False),
    "a list of pairs": (json.dumps([["title", "Saaw"]]).encode(), False),
    **{f"a title of {space!r}": (line(title=space), False) for space in "\t\v\r\x1c\x85\xa0\u2003\u3000"},
    **{f"a title within {space!r}": (line(title=space + "x"), True) for space in "\t\x85\u3000"},
    **{f"a film behind {space!r}": (line(imdb_id=space + "x"), False) for space in "\t\v\x1f\x85\xa0\u2029"},
    **{f"a film before {space!r}": (line(imdb_id="x" + space), False) for space in "\t\n\x1f\x85\xa0\u2029"},
    "a title of no width": (line(title="\u200b"), True),
}


@pytest.mark.parametrize(("written", "is_decision"), EDITED.values(), ids=EDITED)
def test_python_and_sql_take_a_line_that_somebody_edited_alike(built, written, is_decision):
    (file := alias_files(built)[-1]).write_bytes(written + b"\n" + line(title="Alfa"))
    held, left_out = current_decisions(built)
    theirs = in_sql(built, "select title, year, imdb_id, action, decided_at from alias_decisions order by place")
    file.unlink()
    assert theirs == [tuple(row.values()) for row in held.to_pylist()]
    assert (held.num_rows, left_out) == ((2, 0) if is_decision else (1, 1))


def in_sql(store: Path, statement: str) -> list[tuple]:
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.sql(statement).fetchall()


decision_lines = st.one_of(
    st.builds(
        lambda title, year, film, action: json.dumps(
            {"title": title, "year": year, "imdb_id": film, "action": action, "at": "now"}
        ).encode(),
        st.sampled_from(["Saaw", "saaw", "Dooom", "", 7]),
        st.sampled_from([2004, 2016, None, 99, 2004.0, True, "2004"]),
        st.sampled_from(["tt0387564", "game:doom", None, " x", "", "y" * 101]),
        st.sampled_from(["confirm", "confirm", "reject", "undo", "delete"]),
    ),
    st.sampled_from([b"", b"\xff\xfe", b"[" * 5000, b"null", b'{"title": "\\ud800"}', b"{}\r", b'{"title"']),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(decision_lines, max_size=12), st.lists(decision_lines, max_size=4))
def test_sql_reads_the_same_decisions(built, lines, older_lines):
    older, file = alias_files(built)
    older.write_bytes(b"\n".join(older_lines))
    file.write_bytes(b"\n".join(lines))
    ours = [tuple(row.values()) for row in current_decisions(built)[0].to_pylist()]
    theirs = in_sql(built, "select title, year, imdb_id, action, decided_at from alias_decisions order by place")
    older.unlink()
    file.unlink()
    assert theirs == ours


def test_a_confirmed_film_of_any_domain_is_the_same_for_python_sql_explain_and_the_audit(built):
    confirm_alias(built, "Dooom", 2016, "game:doom")
    try:
        verdict = create_oracle(store=built).check_safety("dooom", 2016)
        assert (verdict.imdb_id, verdict.match_method) == ("game:doom", "alias")
        trait = "Anti-gore / squeamish"
        statement = f"select imdb_id, match_method from check_film('dooom', 2016, '{trait}')"
        assert in_sql(built, statement) == [("game:doom", "alias")]
        assert [(film["imdb_id"], film["is_match"]) for film in nearest(built, "dooom", 2016)] == [("game:doom", True)]
        with open_audit(built) as connection:
            assert connection.sql(statement).fetchall() == [("game:doom", "alias")]
    finally:
        aliases_path(built).unlink()
    assert in_sql(built, statement) == [(None, None)]


def test_a_store_that_was_copied_or_moved_has_the_decisions_beside_it_and_no_others(built, tmp_path):
    moved = tmp_path / "sweep[1] *'é" / "other.db"
    moved.parent.mkdir()
    shutil.copyfile(built, moved)
    confirm_alias(built, "Another", None, "game:doom")
    confirm_alias(moved, "Another", None, SAW)
    statement = "select imdb_id from check_film('Another', null, 'Anti-gore / squeamish')"
    try:
        assert [film["imdb_id"] for film in nearest(moved, "Another") if film["is_match"]] == [SAW]
        with open_audit(moved) as connection, beside(connection) as other:
            assert [query(each, statement)["imdb_id"].to_pylist() for each in (connection, other)] == [[SAW]] * 2
        with duckdb.connect(str(moved), read_only=True) as plain:
            plain.execute("set variable alias_files = ?", [[pattern_of(aliases_path(moved))]])
            assert plain.sql(statement).fetchall() == [(SAW,)]
    finally:
        aliases_path(built).unlink()


@pytest.mark.parametrize("name", ["store.duckdb", "store[1].duckdb"])
def test_decisions_are_found_in_a_folder_that_may_be_entered_and_not_listed(tmp_path, name):
    """As homes are on shared machines: of such a folder DuckDB's patterns find nothing, and say nothing. It has no other way to
    a name like a pattern: that is told."""
    store = build_store(tmp_path / "home" / name, [{"imdb_id": SAW, "title": "Saw", "year": 2004}])
    append_alias(store, "Zorb", None, SAW, "confirm")
    program = """
    import os, sys
    from oracle import UserError
    from oracle.log import open_audit, query
    with open_audit(sys.argv[1]) as audit:  # everything is imported while that is still allowed
        sql = "select imdb_id, action from alias_decisions union all from (select imdb_id, match_method from resolve_titles('asked'))"
        sql = f"with asked as (select 'Zorb' as title, null::smallint as year) {sql}"
        for mode, user in ((0o755, 0), (0o711, 0), (0o311, 65534)):
            os.chmod(os.path.dirname(sys.argv[1]), mode)
            if user and not os.getuid():
                os.setuid(user)
            try:
                print(query(audit, sql).to_pylist())
            except UserError as error:
                print(error)
    """
    for folder in (tmp_path, *tmp_path.parents):
        if folder not in (Path("/tmp"), Path("/")):
            folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program), store], capture_output=True, text=True)
    found = str([{"imdb_id": SAW, "action": "confirm"}, {"imdb_id": SAW, "action": "alias"}])
    told = f"cannot read {store.parent}: Permission denied" if "[" in name else found
    assert done.stdout.splitlines() == [found, found, told], done.stderr


def test_after_a_transaction_that_failed_decisions_are_read_as_before(tmp_path):
    store = build_store(tmp_path / "store.duckdb", [{"imdb_id": SAW, "title": "Saw", "year": 2004}])
    decided = "select title, imdb_id from alias_decisions"
    with open_audit(store) as audit:
        audit.execute("begin")
        with pytest.raises(UserError, match="on purpose"):
            query(audit, "select error('on purpose') from runs right join (select 1) on true")
        audit.execute("rollback")
        append_alias(store, "Zorb", None, SAW, "confirm")
        assert query(audit, decided).to_pylist() == [{"title": "Zorb", "imdb_id": SAW}]


@pytest.mark.parametrize("way", ["{}", "{}*", "file://{}", "a text"])
def test_decisions_of_a_place_that_somebody_named_are_read_from_there(tmp_path, way):
    store = build_store(tmp_path / "store.duckdb", [{"imdb_id": SAW, "title": "Saw", "year": 2004}])
    append_alias(tmp_path / "other.duckdb", "Zorb", None, SAW, "confirm")
    place = str(aliases_path(tmp_path / "other.duckdb"))
    with open_audit(store, locked=False) as audit:
        audit.execute("set variable alias_files = ?", [place if way == "a text" else [way.format(place)]])
        if way == "a text":
            with pytest.raises(UserError, match="VARCHAR"):
                query(audit, "from alias_decisions")
        else:
            assert query(audit, "select title from alias_decisions").to_pylist() == [{"title": "Zorb"}]


@pytest.mark.parametrize(
    ("year", "film", "complaint"),
    [(2016, "tt9999999", "no film 'tt9999999'"), (2019, "game:doom", "its year is 2016"), (99, "game:doom", "year")],
)
def test_what_no_match_could_ever_give_is_not_confirmed(built, year, film, complaint):
    with pytest.raises(UserError, match=complaint):
        confirm_alias(built, "Dooom", year, film)
    assert not aliases_path(built).exists()


def test_stores_that_differ_in_suffix_alone_have_decisions_of_their_own_and_read_the_older_file(tmp_path):
    append_alias(tmp_path / "x.db", "Saaw", 2004, SAW, "confirm")
    assert current_aliases(tmp_path / "x.duckdb").num_rows == 0
    aliases_path(tmp_path / "x.db").rename(tmp_path / "x.aliases.jsonl")
    append_alias(tmp_path / "x.db", "Saaw", 2004, None, "undo")
    assert current_aliases(tmp_path / "x.db").num_rows == 0
    assert current_aliases(tmp_path / "x.duckdb")["imdb_id"].to_pylist() == [SAW]


def _write_many(store: Path, process: int) -> None:
    for i in range(50):
        append_alias(store, f"title {process}-{i}", 2000, SAW, "confirm")


def test_processes_that_write_at_once_lose_nothing(store):
    processes = [multiprocessing.get_context("fork").Process(target=_write_many, args=(store, p)) for p in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    decisions, ignored = current_decisions(store)
    assert (decisions.num_rows, ignored) == (200, 0)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(UserError, match="cannot write"):
        append_alias(tmp_path / "missing" / "store.duckdb", "Saaw", 2004, SAW, "confirm")


@given(
    title=st.text(min_size=1, max_size=60).filter(str.strip),
    year=st.none() | st.integers(1800, 2200),
    number=st.text(string.digits, min_size=7, max_size=9),
)
def test_any_title_that_can_be_written_comes_back_as_it_was(tmp_path_factory, title, year, number):
    store = tmp_path_factory.mktemp("any") / "store.duckdb"
    try:
        append_alias(store, title, year, f"tt{number}", "confirm")
    except UserError:
        assert "\0" in title
        return
    assert current_aliases(store).to_pylist() == [{"title": title, "year": year, "imdb_id": f"tt{number}"}]
