"""A store after a load, after the same load again, after another, and after one that failed."""

import hashlib
import multiprocessing
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from oracle.base.errors import UserError
from oracle.sources import load_sources, recognise
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
    told = (folder / "store.rejects" / "saw.csv.csv").read_text()
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
    assert not (folder / "store.rejects" / "saw.csv.csv").exists()


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


def test_sources_of_one_name_keep_their_rejects_apart(folder):
    (folder / "other").mkdir()
    (folder / "other" / "saw.csv").write_text("imdb_id,tag\n1,gore\n,blood\n")
    [other] = load(folder, "other/saw.csv")
    assert other.rejects == folder / "store.rejects" / "saw.csv.2.csv"
    assert (folder / "store.rejects" / "saw.csv.csv").read_text().count("19??") == 2


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
