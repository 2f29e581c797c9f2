"""A store is there whole or not at all, opens whoever holds it, and derives risks by the formula."""

import random
import shutil
import sqlite3
import subprocess
import sys
from importlib.resources import files
from itertools import product
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle import UserError, build_store, create_oracle
from oracle.store.build import bundled_traits, insert_traits
from oracle.store.file import changed_store, new_store
from oracle.store.traits import Trait

FILM = [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}]
GORE = "Anti-gore / squeamish"


def table(store: Path, query: str) -> list[tuple]:
    with duckdb.connect(str(store), read_only=True) as connection:
        return connection.sql(query).fetchall()


def test_arrow_dicts_and_files_make_the_same_store(tmp_path: Path) -> None:
    arrow, folder = pa.Table.from_pylist(FILM), tmp_path / "year=1999"  # which is no column of theirs
    folder.mkdir()
    pq.write_table(arrow, folder / "films.parquet")
    (folder / "films.csv").write_text("imdb_id,title,year\ntt0387564,Saw,2004\n")
    (folder / "films.json").write_text('[{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}]')
    for source in (FILM, arrow, folder / "films.parquet", folder / "films.csv", str(folder / "films.json")):
        store = build_store(tmp_path / "s.duckdb", titles=source)
        assert table(store, "select imdb_id, title, year, is_primary from titles") == [("tt0387564", "Saw", 2004, True)]


@pytest.mark.parametrize(
    "ids",
    [
        {"387561": "tt0387561", "tt387562": "tt0387562", "0387563": "tt0387563", "tt10310221": "tt10310221",
         "010310222": "tt10310222", " tt0387564 ": "tt0387564", "game-7": "game-7"},
        {387565: "tt0387565", 10310223: "tt10310223"},
    ],
    ids=["texts", "numbers"],
)  # fmt: skip
def test_ids_with_and_without_tt_are_one(tmp_path: Path, ids: dict) -> None:
    store = build_store(
        tmp_path / "s.duckdb",
        [{"imdb_id": written, "title": stored, "year": 2004} for written, stored in ids.items()],
        [{"imdb_id": written, "trait": GORE, "risk": 1.0} for written in ids],
    )
    shown = table(store, "select t.imdb_id, t.title from titles t join trait_risk using (imdb_id)")
    assert sorted(shown) == sorted((stored, stored) for stored in ids.values())


@pytest.fixture(scope="module")
def of_one_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_store(tmp_path_factory.mktemp("film") / "s.duckdb", FILM)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"titles": [{"title": "Saw"}]}, "titles lacks the column imdb_id: it has title"),
        ({"titles": [{"imdb_id": "1", "title": "Saw", "year": "19??"}]}, "titles cannot be stored: .*19"),
        ({"titles": [{"imdb_id": None, "title": "Saw"}]}, "titles cannot be stored: .*imdb_id"),
        ({"titles": "films.xlsx"}, "films.xlsx: expected a file .csv, .parquet or .json"),
        ({"titles": "missing.csv"}, "missing.csv"),
        (
            {"trait_risk": [{"imdb_id": "1", "trait": GORE, "risk": 1.5}]},
            "the risk 1.5 of tt0000001 for Anti-gore .* is no number in 0..1",
        ),
        ({"trait_risk": [{"imdb_id": "1", "trait": GORE, "risk": -0.1}]}, "the risk -0.1"),
        ({"trait_risk": [{"imdb_id": "1", "trait": GORE, "risk": float("nan")}]}, "the risk nan"),
        (
            {"film_severities": [{"imdb_id": "1", "category": "Profanity", "severity": 4}]},
            "the severity 4 of tt0000001",
        ),
        ({"traits": [Trait("twice"), Trait("twice")]}, "twice"),
    ],
)
def test_what_cannot_be_stored_is_told_in_one_line_and_changes_nothing(
    of_one_film: Path, tmp_path: Path, arguments: dict, complaint: str
) -> None:
    store = Path(shutil.copy(of_one_film, tmp_path))
    before = store.read_bytes()
    with pytest.raises(UserError, match=complaint) as refusal:
        build_store(store, **arguments)
    assert "\n" not in str(refusal.value)
    assert store.read_bytes() == before
    assert not list(tmp_path.glob(".*tmp*"))


def test_a_failure_while_changing_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    before = store.read_bytes()
    with pytest.raises(KeyError), changed_store(store) as connection:
        connection.execute("delete from titles")
        raise KeyError
    assert store.read_bytes() == before
    assert not list(tmp_path.glob(".*tmp*"))


def test_a_file_of_a_name_like_a_pattern_is_itself(tmp_path: Path) -> None:
    for name, title in (("films[1].csv", "Saw"), ("films1.csv", "Heat")):
        (tmp_path / name).write_text(f"imdb_id,title,year\ntt0387564,{title},2004\n")
    store = build_store(tmp_path / "s.duckdb", tmp_path / "films[1].csv")
    assert create_oracle(store=store).check_safety("Saw", 2004).imdb_id == "tt0387564"


def test_a_process_killed_while_writing_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    program = (
        "import os, sys\nfrom oracle.store.file import changed_store\n"
        "with changed_store(sys.argv[1]) as connection:\n    connection.execute('delete from titles')\n    os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, store]).returncode == -9
    assert create_oracle(store=store).check_safety("Saw", 2004).imdb_id == "tt0387564"


def test_processes_that_build_the_starter_store_at_once_all_open_it(tmp_path: Path) -> None:
    program = "import sys; from oracle import create_oracle; print(create_oracle(sys.argv[1]).check_safety('Saw', 2004, {'gore': True}).violations)"
    running = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in running] == ["['Anti-gore / squeamish: risk=0.92']"] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store.duckdb", "store.index", "store.log"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "no store at"),
        (b"", "is a DuckDB file, but no store|not a DuckDB store"),
        (b"x" * 5000, "not a DuckDB store"),
        ("folder", "not a DuckDB store|no store at"),
    ],
)
def test_what_is_no_store_is_told_in_one_line(tmp_path: Path, content: object, complaint: str) -> None:
    path = tmp_path / "s.duckdb"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(UserError, match=complaint) as refusal:
        create_oracle(store=path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "statement",
    [
        "create table films (title varchar)",
        "create table store_info (n integer)",
        "create table store_info (schema_version integer)",
    ],
)
def test_a_database_of_something_else_is_told_in_one_line(tmp_path: Path, statement: str) -> None:
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute(statement)
    with pytest.raises(UserError, match="is a DuckDB file, but no store") as refusal:
        create_oracle(store=tmp_path / "other.duckdb")
    assert "\n" not in str(refusal.value)


def test_a_sqlite_file_is_told_in_one_line(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.duckdb") as connection:
        connection.execute("create table store_info (schema_version integer)")
    with pytest.raises(UserError, match=r"other\.duckdb") as refusal:
        create_oracle(store=tmp_path / "other.duckdb")
    assert "\n" not in str(refusal.value)


def test_a_folder_is_no_place_for_a_store(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="that is a folder"):
        build_store(tmp_path, FILM)


def test_a_store_that_another_program_has_locked_is_opened_all_the_same(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); c.execute('begin; delete from titles'); print('locked', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, store], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as analyst:
        assert analyst.stdout and analyst.stdout.readline() == "locked\n"
        with pytest.raises(duckdb.IOException):
            duckdb.connect(str(store), read_only=True)
        assert create_oracle(store=store).check_safety("Saw", 2004).imdb_id == "tt0387564"
        analyst.communicate()


def test_an_oracle_keeps_what_it_opened_and_the_next_one_sees_the_new_store(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    old = create_oracle(store=store)
    build_store(store, [{"imdb_id": "tt0000002", "title": "Saw", "year": 2004}])
    assert old.check_safety("Saw", 2004).imdb_id == "tt0387564"
    assert create_oracle(store=store).check_safety("Saw", 2004).imdb_id == "tt0000002"
    assert old.check_safety("saw", 2005).imdb_id == "tt0387564"
    assert len(list((tmp_path / "s.index").iterdir())) == 1, "the index of the old store is removed"


def damage(file: Path, start: int, length: int) -> None:
    octets = bytearray(file.read_bytes())
    octets[start : start + length] = bytes(length)
    file.write_bytes(octets)


def test_an_index_that_is_broken_is_made_again(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    create_oracle(store=store)
    (folder,) = (tmp_path / "s.index").iterdir()
    for breakage in (
        lambda: (folder / "titles.arrow").write_bytes(b"torn"),
        lambda: (folder / "titles.arrow").write_bytes(b""),
        lambda: damage(folder / "titles.arrow", 192, 64),
        lambda: (folder / "keys.arrow").unlink(),
        lambda: shutil.rmtree(folder),
    ):
        breakage()
        assert create_oracle(store=store).check_safety("Saw", 2004).imdb_id == "tt0387564"


def test_where_no_index_can_be_written_the_oracle_does_without(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    (tmp_path / "s.index").write_text("a file is in the way")
    assert create_oracle(store=store).check_safety("Saw", 2004).imdb_id == "tt0387564"


def test_the_risk_of_saw_is_that_of_the_formula(tmp_path: Path) -> None:
    """Violence Severe (3) weighs 1.0, frightening Moderate (2) weighs 0.3: 3.6 / (3 * 1.3) = 0.923."""
    severities = [
        {"imdb_id": "387564", "category": "Violence & Gore", "severity": 3},
        {"imdb_id": "387564", "category": "Frightening & Intense Scenes", "severity": 2},
    ]
    store = build_store(tmp_path / "s.duckdb", FILM, film_severities=severities)
    rows = table(store, f"select risk, pg_risk, tag_trigger, source, hit_tags from trait_risk where trait = '{GORE}'")
    assert rows == [(pytest.approx(3.6 / 3.9), pytest.approx(3.6 / 3.9), 0.0, "guide", None)]
    verdict = create_oracle(store=store).check_safety("Saw", 2004, {GORE: True})
    assert verdict.violations == ["Anti-gore / squeamish: risk=0.92"]
    assert verdict.evidence[0]["severities"] == ["Frightening & Intense Scenes: Moderate", "Violence & Gore: Severe"]


def test_tags_trigger_whatever_the_guide_says_and_the_source_says_both(tmp_path: Path) -> None:
    tags = [{"imdb_id": "387564", "tag": "Is there blood/gore"}, {"imdb_id": "387564", "tag": "Is there blood/gore"}]
    severities = [{"imdb_id": "387564", "category": "Violence & Gore", "severity": 1}]
    store = build_store(tmp_path / "s.duckdb", FILM, film_tags=tags, film_severities=severities)
    rows = table(store, f"select risk, pg_risk, source, hit_tags from trait_risk where trait = '{GORE}'")
    assert rows == [(1.0, pytest.approx(1 / 3.9), "both", ["Is there blood/gore"])]


def test_of_several_ratings_of_a_category_the_most_severe_counts_once(tmp_path: Path) -> None:
    severities = [
        {"imdb_id": film_id, "category": "Violence & Gore", "severity": severity}
        for film_id, severity in (("387564", 1), ("tt0387564", 3), ("387564", 2))
    ]
    store = build_store(tmp_path / "s.duckdb", FILM, film_severities=severities)
    assert table(store, f"select pg_risk, severities from trait_risk where trait = '{GORE}'") == [
        (pytest.approx(3 / 3.9), {"Violence & Gore": 3})
    ]


def test_a_ready_made_risk_counts_where_it_is_higher(tmp_path: Path) -> None:
    severities = [{"imdb_id": "387564", "category": "Violence & Gore", "severity": 3}]  # 3 / 3.9 = 0.77
    for given_risk, source in ((0.9, "given"), (0.5, "guide")):
        given_risks = [
            {"imdb_id": "387564", "trait": GORE, "risk": given_risk},
            {"imdb_id": "387564", "trait": GORE, "risk": 0.1},
        ]
        store = build_store(tmp_path / "s.duckdb", FILM, given_risks, film_severities=severities)
        assert table(store, f"select risk, source from trait_risk where trait = '{GORE}'") == [
            (pytest.approx(max(given_risk, 3 / 3.9)), source)
        ]


def test_a_trait_that_only_risks_name_is_added(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM, [{"imdb_id": "387564", "trait": "Loot boxes", "risk": 0.7}])
    assert create_oracle(store=store).check_safety("Saw", 2004, {"loot": True}).violations == ["Loot boxes: risk=0.70"]
    store = build_store(
        store, FILM, [{"imdb_id": "387564", "trait": "Loot boxes", "risk": 0.7}], traits=[Trait("Blood")]
    )
    assert create_oracle(store=store).trait_names == ["Blood", "Loot boxes"]


CATEGORIES = ["a", "b", "c"]


def test_risk_is_the_higher_of_tags_and_weighted_severities(tmp_path: Path) -> None:
    """Each film is about a trait of its own: with its own weights, and a tag that it alone may have."""
    levels = list(product([0.0, 0.3, 1.0], range(4)))
    every = list(product(product(levels, repeat=len(CATEGORIES)), [False, True]))
    nothing = tuple((0.0, 0) for _ in CATEGORIES)
    films = [*random.Random(3407).sample(every, 80), (nothing, False), (nothing, True)]
    path = tmp_path / "s.duckdb"
    traits = [
        Trait(
            f"it {n}", (f"tag {n}",), tuple((name, weight) for name, (weight, _) in zip(CATEGORIES, rated, strict=True))
        )
        for n, (rated, _) in enumerate(films)
    ]
    severities = [
        {"imdb_id": f"film-{n}", "category": name, "severity": severity}
        for n, (rated, _) in enumerate(films)
        for name, (_, severity) in zip(CATEGORIES, rated, strict=True)
    ]
    with new_store(path) as connection:
        insert_traits(connection, traits)
        connection.executemany(
            "insert into film_severities by name select $imdb_id as imdb_id, $category as category, $severity as severity",
            severities,
        )
        for n in (n for n, (_, tagged) in enumerate(films) if tagged):
            connection.execute("insert into film_tags values ($1, $2, null)", [f"film-{n}", f"tag {n}"])
    shown = table(
        path, "select imdb_id, risk, source from trait_risk where trait = 'it ' || split_part(imdb_id, '-', 2)"
    )
    found = {film: (risk, source) for film, risk, source in shown}
    for n, (rated, tagged) in enumerate(films):
        total = sum(weight for weight, _ in rated)
        guide = sum(weight * severity for weight, severity in rated) / (3 * total) if total else 0.0
        if not tagged and not total:
            assert f"film-{n}" not in found  # none of the categories counts for the trait: nothing is known
            continue
        risk, source = found[f"film-{n}"]
        assert risk == pytest.approx(max(float(tagged), guide))
        sources = {(True, True): "both", (True, False): "tags", (False, True): "guide", (False, False): None}
        assert source == sources[tagged, guide > 0]


def test_the_starter_store_has_every_bundled_film(tmp_path: Path) -> None:
    create_oracle(tmp_path)
    films = (files("data") / "films.csv").read_text(encoding="utf-8").strip().count("\n")
    counts = "select (select count(*) from titles where is_primary), (select count(*) from catalog), (select count(*) from traits)"
    assert table(tmp_path / "store.duckdb", counts) == [(films, films, 20)]
    assert len(bundled_traits()) == 20
