"""A store after a load, after the same load again, after another, and after one that failed."""

import hashlib
import multiprocessing
import random
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from oracle.base.errors import UserError
from oracle.sources import load_sources, recognise
from oracle.sources.kinds import AKAS_HEADER, BASICS_HEADER
from oracle.store import open_store
from oracle.store.update import updated_store

SAW = "imdb_id,title,year\n1,Saw,2004\n2,Up,19??\n"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory) -> Path:
    """A folder with a store that holds saw.csv, and with its rejects."""
    folder = tmp_path_factory.mktemp("loaded")
    (folder / "saw.csv").write_text(SAW)
    load_sources(folder / "store.duckdb", recognise([folder / "saw.csv"]), starter=False)
    return folder


@pytest.fixture
def folder(loaded, tmp_path) -> Path:
    shutil.copytree(loaded, tmp_path, dirs_exist_ok=True)
    with duckdb.connect(tmp_path / "store.duckdb") as connection:
        connection.execute("update sources set path = ?", [str(tmp_path / "saw.csv")])
    return tmp_path


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.md5(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


def rows(folder: Path, sql: str) -> list[tuple]:
    with duckdb.connect(folder / "store.duckdb", read_only=True) as connection:
        return connection.sql(sql).fetchall()


def load(folder: Path, *names: str):
    return load_sources(folder / "store.duckdb", recognise([folder / name for name in names]), starter=False)


def test_a_load_is_noted_and_its_rejects_are_beside_the_store(folder):
    assert rows(folder, "select source_id, kind, rows_read, rows_rejected from sources") == [
        (1, "titles with ids", 2, 1)
    ]
    assert rows(folder, "select imdb_id, title, year, source_id from titles") == [("tt0000001", "Saw", 2004, 1)]
    told = (folder / "store.rejects" / "saw.csv.1.csv").read_text()
    assert told == '"row","content","reason"\n3,"2,Up,19??","\'19??\' is no year"\n'


def test_the_same_load_again_changes_not_a_byte(folder):
    before = digests(folder)
    [again] = load(folder, "saw.csv")
    assert not again.is_new
    assert (again.rows_read, again.rows_rejected) == (2, 1)
    assert digests(folder) == before


def test_the_same_content_under_another_name_is_known(folder):
    shutil.copy(folder / "saw.csv", folder / "copy.csv")
    before = digests(folder)
    assert not load(folder, "copy.csv")[0].is_new
    assert digests(folder) == before


def test_a_file_that_was_moved_and_then_changed_replaces_what_it_brought(folder):
    (folder / "v2").mkdir()
    (folder / "saw.csv").rename(folder / "v2" / "saw.csv")
    load(folder, "v2/saw.csv")
    assert rows(folder, "select source_id, path from sources where source_id > 0") == [
        (1, str((folder / "v2" / "saw.csv").resolve()))
    ]
    (folder / "v2" / "saw.csv").write_text("imdb_id,title,year\n2,Up,2009\n")
    load(folder, "v2/saw.csv")
    assert rows(folder, "select imdb_id, title, source_id from titles") == [("tt0000002", "Up", 1)]


def test_a_file_that_takes_the_content_of_another_replaces_what_it_brought(folder):
    (folder / "other.csv").write_text("imdb_id,title,year\n2,Up,2009\n")
    load(folder, "other.csv")
    shutil.copy(folder / "saw.csv", folder / "other.csv")
    load(folder, "other.csv")
    assert "Up" not in {title for (title,) in rows(folder, "select title from titles")}
    before = digests(folder)
    assert not any(loaded.is_new for loaded in (*load(folder, "other.csv"), *load(folder, "saw.csv")))
    assert digests(folder) == before


def test_a_changed_file_replaces_what_it_brought(folder):
    (folder / "saw.csv").write_text("imdb_id,title,year\n2,Up,2009\n")
    load(folder, "saw.csv")
    assert rows(folder, "select imdb_id, title, source_id from titles") == [("tt0000002", "Up", 1)]
    assert rows(folder, "select title from title_index") == [("Up",)]
    assert not (folder / "store.rejects" / "saw.csv.1.csv").exists()


def risks(folder: Path, name: str, *films: int) -> Path:
    """A file of risks of films, each 0.5."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("imdb_id,trait,risk\n" + "".join(f"{film},Gore,0.5\n" for film in films))
    return path


def films_of(folder: Path) -> list[int]:
    return [film for (film,) in rows(folder, "select imdb_id[3:]::int from given_risk order by all")]


@pytest.mark.parametrize("names", [("old.csv", "risks.csv"), ("risks.csv", "old.csv"), ("old.csv",)])
def test_a_moved_file_and_the_new_one_of_its_name_are_both_in_the_store(tmp_path, names):
    risks(tmp_path, "risks.csv", 1)
    load(tmp_path, "risks.csv")
    (tmp_path / "risks.csv").rename(tmp_path / "old.csv")
    risks(tmp_path, "risks.csv", 2)
    load(tmp_path, *names)
    load(tmp_path, "risks.csv")
    assert films_of(tmp_path) == [1, 2]
    before = digests(tmp_path)
    assert [again.held_from for again in load(tmp_path, "old.csv", "risks.csv")] == [None, None]
    assert digests(tmp_path) == before


@pytest.mark.parametrize("names", [("a/t.csv", "b/t.csv"), ("b/t.csv", "a/t.csv")])
def test_a_copy_is_in_the_store_where_what_it_was_a_copy_of_is_edited(tmp_path, names):
    risks(tmp_path, "a/t.csv", 1, 2)
    risks(tmp_path, "b/t.csv", 1, 2)
    load(tmp_path, "a/t.csv")
    copy = next(one for one in load(tmp_path, *names) if one.source.path == tmp_path / "b/t.csv")
    assert (copy.is_new, copy.held_from, copy.rows_read) == (False, tmp_path / "a/t.csv", 2)
    risks(tmp_path, "a/t.csv", 1, 3)
    assert all(one.is_new for one in load(tmp_path, *names))
    assert films_of(tmp_path) == [1, 1, 2, 3]


AKA = "\t1\tOben\tDE\t\\N\t\\N\t\\N\t0\n"
BASICS = "tt0000001\tmovie\tUp\tUp\t0\t2009\t\\N\t\\N\t\\N\n"


@pytest.mark.parametrize(
    ("table", "header", "shared", "other"),
    [
        ("catalog", "title,year\n", "Up,2009\n", "Heat,1995\n"),
        ("film_severities", "imdb_id,category,severity\n", "1,Gore,3\n", "2,Gore,1\n"),
        ("film_tags", "imdb_id,tag\n", "1,gore\n", "2,gore\n"),
        ("given_risk", "imdb_id,trait,risk\n", "1,Gore,0.5\n", "2,Gore,0.5\n"),
        ("titles", "imdb_id,title,year\n", "1,Up,2009\n", "2,Heat,1995\n"),
        ("other_ids", "movieId,imdbId,tmdbId\n", "5,1,7\n", "6,2,8\n"),
        ("titles", "\t".join(AKAS_HEADER) + "\n", f"tt0000001{AKA}", f"tt0000001{AKA.replace('Oben', 'Up')}"),
    ],
)
def test_a_row_of_two_sources_is_the_second_s_where_the_first_has_it_no_more(tmp_path, table, header, shared, other):
    (tmp_path / "films.tsv").write_text("\t".join(BASICS_HEADER) + "\n" + BASICS)
    (tmp_path / "first.csv").write_text(header + shared + other)
    (tmp_path / "second.csv").write_text(header + shared)
    load(tmp_path, "films.tsv", "first.csv", "second.csv")
    (tmp_path / "first.csv").write_text(header + other)
    load(tmp_path, "first.csv")
    both = rows(tmp_path, f"from {table} where source_id > 1")
    (tmp_path / "store.duckdb").unlink()
    load(tmp_path, "films.tsv", "first.csv", "second.csv")
    assert sorted(both, key=str) == sorted(rows(tmp_path, f"from {table} where source_id > 1"), key=str)
    assert len(both) > 1


def test_a_row_of_two_sources_names_both(tmp_path):
    for name in ("first.csv", "second.csv"):
        (tmp_path / name).write_text(f"imdb_id,category,severity\n1,Gore,{2 + (name == 'second.csv')}\n")
    load(tmp_path, "first.csv", "second.csv")
    assert rows(tmp_path, "select severity, source_id from film_severities order by all") == [(2, 1), (3, 2)]
    assert len(rows(tmp_path, "from film_sources('tt0000001')")) == 2


def test_votes_of_one_content_on_two_categories_are_no_copy_of_each_other(tmp_path):
    for name in ("violence.csv", "profanity.csv"):
        (tmp_path / name).write_text("imdb_id,none,mild,moderate,severe\n1,0,0,1,9\n")
    assert [one.held_from for one in load(tmp_path, "violence.csv", "profanity.csv")] == [None, None]
    assert len(rows(tmp_path, "select distinct category from film_severities where source_id > 0")) == 2


def test_the_second_of_two_new_files_of_one_content_is_known_from_the_first(tmp_path):
    risks(tmp_path, "a.csv", 1, 2)
    risks(tmp_path, "b.csv", 1, 2)
    first, second = load(tmp_path, "a.csv", "b.csv")
    assert first.is_new and first.held_from is None
    assert (second.is_new, second.rows_read, second.held_from) == (False, 2, tmp_path / "a.csv")
    assert rows(tmp_path, "select path from sources where source_id > 0") == [(str((tmp_path / "a.csv").resolve()),)]
    assert films_of(tmp_path) == [1, 2]


def test_a_file_keeps_its_place_where_its_old_content_has_moved_and_its_new_one_is_anothers(tmp_path):
    risks(tmp_path, "a.csv", 1)
    risks(tmp_path, "b.csv", 2)
    load(tmp_path, "a.csv", "b.csv")
    (tmp_path / "a.csv").rename(tmp_path / "c.csv")
    risks(tmp_path, "a.csv", 2)
    load(tmp_path, "c.csv", "a.csv", "b.csv")
    risks(tmp_path, "a.csv", 3)
    load(tmp_path, "a.csv")
    assert films_of(tmp_path) == [1, 2, 3]


def test_a_file_that_is_moved_onto_another_s_place_leaves_nothing_under_its_old_name(tmp_path):
    risks(tmp_path, "risks.csv", 1)
    risks(tmp_path, "new.csv", 1, 2)
    with open(tmp_path / "new.csv", "a") as file:
        file.write("3,Gore,7\n")
    load(tmp_path, "risks.csv", "new.csv")
    assert [path.name for path in (tmp_path / "store.rejects").iterdir()] == ["new.csv.2.csv"]
    (own := tmp_path / "store.rejects" / "mine.2.csv").write_text("row,mine\n")
    (tmp_path / "new.csv").rename(tmp_path / "risks.csv")
    load(tmp_path, "risks.csv")
    assert films_of(tmp_path) == [1, 2]
    assert {path.name for path in (tmp_path / "store.rejects").iterdir()} == {"risks.csv.1.csv", own.name}
    risks(tmp_path, "risks.csv", 1)
    load(tmp_path, "risks.csv")
    assert films_of(tmp_path) == [1]
    assert rows(tmp_path, "select path from sources where source_id > 0") == [(str(tmp_path / "risks.csv"),)]


@pytest.mark.parametrize("seed", [0, 1])
def test_whatever_happens_to_files_those_that_are_named_are_in_the_store(tmp_path, seed):
    chance = random.Random(seed)
    names = ["a.csv", "b.csv", "c.csv"]
    for _ in range(6):
        there = [name for name in names if (tmp_path / name).exists()]
        for _ in range(chance.randint(1, 3)):
            one, other = chance.choice(there or names), chance.choice(names)
            act = chance.choice(["edit", "edit", "move", "copy"])
            if act == "edit" or one not in there:
                risks(tmp_path, other, *sorted(chance.sample(range(1, 5), 2)))
            elif one != other and act == "move":
                (tmp_path / one).rename(tmp_path / other)
            elif one != other:
                shutil.copy(tmp_path / one, tmp_path / other)
            there = [name for name in names if (tmp_path / name).exists()]
        named = chance.sample(there, chance.randint(1, len(there)))
        told = load(tmp_path, *named)
        stored = dict(
            rows(
                tmp_path,
                "select path, list(imdb_id[3:] order by imdb_id) from sources join given_risk using (source_id) group by all",
            )
        )
        for one in told:
            films = [line.split(",")[0].zfill(7) for line in one.source.path.read_text().splitlines()[1:]]
            assert stored[str((one.held_from or one.source.path).resolve())] == films


def test_a_failure_leaves_everything_as_it_was(folder):
    (folder / "good.csv").write_text("imdb_id,title,year\n5,Heat,1995\n")
    (folder / "bad.csv").write_text("imdb_id,title,year\n6,A,1995\n6,B,1995\n")
    before = digests(folder)
    with pytest.raises(UserError, match=r"bad\.csv"):
        load(folder, "good.csv", "bad.csv")
    assert digests(folder) == before


def test_a_failure_makes_no_store(tmp_path):
    (tmp_path / "bad.csv").write_text("imdb_id,tag\n,x\n")
    with pytest.raises(UserError, match="none of its 1 rows"):
        load(tmp_path, "bad.csv")
    # The lock's file stays: whoever removes it lets two others hold the lock, each on a file of its own.
    assert sorted(p.name for p in tmp_path.iterdir()) == [".store.duckdb.lock", "bad.csv"]


def test_a_reader_keeps_what_it_has_open(folder):
    (folder / "up.csv").write_text("imdb_id,title,year\n2,Up,2009\n")
    with duckdb.connect(folder / "store.duckdb", read_only=True) as reader:
        load(folder, "up.csv")
        assert reader.sql("select count(*) from titles").fetchall() == [(1,)]
        with open_store(folder / "store.duckdb") as fresh:
            assert fresh.sql("select count(*) from titles").fetchall() == [(2,)]


def test_a_writer_in_the_same_process_keeps_its_lock_while_the_store_is_read(folder):
    other = "import duckdb, sys; duckdb.connect(sys.argv[1])"
    with duckdb.connect(folder / "store.duckdb"):
        with open_store(folder / "store.duckdb") as connection:
            assert connection.sql("select count(*) from titles").fetchall() == [(1,)]
        tried = subprocess.run([sys.executable, "-c", other, folder / "store.duckdb"], capture_output=True, text=True)
    assert "lock" in tried.stderr


def test_the_rejects_of_a_source_that_is_named_by_a_link_stay_when_another_is_loaded(tmp_path):
    with open(risks(tmp_path, "real.csv", 1), "a") as file:
        file.write("3,Gore,7\n")
    (tmp_path / "link.csv").symlink_to("real.csv")
    [one] = load(tmp_path, "link.csv")
    load(tmp_path, risks(tmp_path, "other.csv", 2).name)
    assert one.rejects and one.rejects.exists()


def test_sources_of_one_name_keep_their_rejects_apart(folder):
    (folder / "other").mkdir()
    (folder / "other" / "saw.csv").write_text("imdb_id,tag\n1,gore\n,blood\n")
    [other] = load(folder, "other/saw.csv")
    assert other.rejects == folder / "store.rejects" / "saw.csv.2.csv"
    assert (folder / "store.rejects" / "saw.csv.1.csv").read_text().count("19??") == 2


def test_sources_that_come_to_one_name_keep_their_rejects_apart(folder):
    (folder / "other").mkdir()
    other = folder / "other" / "up.csv"
    other.write_text("imdb_id,title,year\n3,Up,2009\n4,Heat,18??\n")
    load(folder, "other/up.csv")
    (folder / "saw.csv").rename(folder / "up.csv")
    other.write_text("imdb_id,title,year\n3,Up,2009\n4,Heat,17??\n")
    for one, bad in zip(load(folder, "up.csv", "other/up.csv"), ("19??", "17??"), strict=True):
        assert one.rejects and bad in one.rejects.read_text()
    assert sorted(path.name for path in (folder / "store.rejects").iterdir()) == ["up.csv.1.csv", "up.csv.2.csv"]


def _wait(path: Path, ready, done) -> None:
    with updated_store(path, starter=False):
        ready.set()
        done.wait(30)


def test_two_processes_cannot_undo_each_other(folder):
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_wait, args=(folder / "store.duckdb", ready, done))
    other.start()
    try:
        assert ready.wait(30)
        (folder / "up.csv").write_text("imdb_id,title,year\n2,Up,2009\n")
        with pytest.raises(UserError, match=r"store\.duckdb is being changed by another process"):
            load(folder, "up.csv")
    finally:
        done.set()
        other.join()
    load(folder, "up.csv")


@pytest.mark.parametrize("what", ["a folder", "some text", "another database", "another version"])
def test_what_is_no_store_is_left_alone(folder, what):
    store = folder / "store.duckdb"
    if what == "another version":
        with duckdb.connect(store) as connection:
            connection.execute("update store_info set schema_version = 99")
    else:
        store.unlink()
        if what == "a folder":
            store.mkdir()
        elif what == "some text":
            store.write_text("no store")
        else:
            duckdb.connect(store).close()
    before = digests(folder)
    (folder / "up.csv").write_text("imdb_id,title,year\n2,Up,2009\n")
    with pytest.raises(UserError) as refusal:
        load(folder, "up.csv")
    assert "\n" not in str(refusal.value)
    (folder / "up.csv").unlink()
    assert digests(folder) == before
