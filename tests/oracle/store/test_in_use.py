"""A store beside other programs: their writes are never lost, links stay, and nothing reaches for the network."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from oracle import UserError, build_store, create_oracle
from oracle.base.database import connect, copied
from oracle.base.files import hold, left_beside, version_of_store
from oracle.store import updated_store, upgrade_store

FILM = [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}]
ANALYST = """
import duckdb, os, sys
c = duckdb.connect(sys.argv[1])
c.execute("create table notes as select 42 as n")
print(os.getpid(), flush=True)
sys.stdin.readline()
os.kill(os.getpid(), 9)
"""


def change(store: Path) -> None:
    with updated_store(store) as connection:
        connection.execute("delete from titles")


def test_another_programs_writes_are_not_overwritten_and_it_is_named(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", ANALYST, str(store)], **pipes) as analyst:
        number = analyst.stdout.readline().strip()
        for write in (change, lambda path: build_store(path, FILM)):
            with pytest.raises(
                UserError, match=rf"s\.duckdb(\.wal)? (is open for writing in process {number}|holds writes)"
            ):
                write(store)
        analyst.communicate("\n")
    assert store.with_name("s.duckdb.wal").exists()  # it was killed
    with pytest.raises(
        UserError, match=r"s\.duckdb\.wal holds writes of another program that are not in the store yet"
    ):
        change(store)
    with duckdb.connect(str(store)) as connection:
        assert connection.sql("select n from notes").fetchall() == [(42,)]
    change(store)


def test_who_opened_the_store_while_it_was_changed_is_not_overwritten(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    with pytest.raises(UserError, match="is open for writing"), updated_store(store) as connection:
        connection.execute("delete from titles")
        analyst = duckdb.connect(str(store))
        analyst.execute("create table notes as select 42 as n")
    assert analyst.sql("select n from notes").fetchall() == [(42,)]
    analyst.close()
    assert create_oracle(store=store).check_safety("Saw", 2004).imdb_id == "tt0387564"


def test_two_changes_at_once_are_refused_with_the_others_number(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    with updated_store(store), pytest.raises(UserError, match=r"s\.duckdb is being changed by another process"):
        change(store)
    lock = hold(tmp_path / "x.lock", "x is held")
    number = f" \\(process {os.getpid()}\\)" if Path("/proc/locks").exists() else ""
    with pytest.raises(UserError, match=f"x is held by another process{number}"):
        hold(tmp_path / "x.lock", "x is held")
    lock.release()


def test_a_link_to_a_store_stays_and_leads_to_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    real = build_store(tmp_path / "data" / "real.duckdb", FILM)
    link = tmp_path / "s.duckdb"
    link.symlink_to(real)
    change(link)
    build_store(link, [{"imdb_id": "tt0000002", "title": "Jaws", "year": 1975}])
    assert link.is_symlink()
    assert create_oracle(store=real).check_safety("Jaws", 1975).imdb_id == "tt0000002"


def test_no_connection_reaches_for_the_network(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    with sqlite3.connect(store) as other:
        other.execute("create table store_info (schema_version integer)")
    with pytest.raises(UserError, match=r"s\.duckdb is not a DuckDB store"):
        create_oracle(store=store)
    with connect() as connection:
        for setting in ("autoload_known_extensions", "autoinstall_known_extensions"):
            assert connection.sql(f"select current_setting('{setting}')").fetchall() == [(False,)]
    folders = [Path(__file__).parents[3] / name for name in ("oracle", "app", "pipeline", "trainer")]
    for file in (f for folder in folders for f in folder.rglob("*.py") if f.name != "database.py"):
        assert "duckdb.connect(" not in file.read_text(), f"{file}: use oracle.base.database.connect"


@pytest.mark.parametrize("content", [b"some other file", b""])
def test_what_is_no_store_is_told_as_such_whatever_its_path_says(tmp_path: Path, content: bytes) -> None:
    """DuckDB's messages name the path, in which "lock" says nothing."""
    path = tmp_path / "lock" / "blockbusters.duckdb"
    path.parent.mkdir()
    path.write_bytes(content)
    for use in (lambda: create_oracle(store=path), lambda: upgrade_store(path)):
        with pytest.raises(UserError, match=r"blockbusters\.duckdb is not a DuckDB store \(it is"):
            use()
    assert path.read_bytes() == content


def test_no_store_is_begun_beside_what_another_program_left_of_one(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    store.with_name("s.duckdb.wal").write_bytes(b"of a store that was removed")
    for starter in (True, False):
        with (
            pytest.raises(UserError, match="where there is no store any more, remove them"),
            updated_store(store, starter),
        ):
            raise AssertionError("work was begun")
    assert not store.exists()


def test_a_copy_has_every_file_in_which_another_program_left_writes(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)
    before = version_of_store(store)
    for kind in (".wal", ".wal.checkpoint", ".wal.recovery"):
        Path(f"{store}{kind}").write_bytes(kind.encode())
    folder = tmp_path / "copy"
    folder.mkdir()
    copy = copied(store, folder)
    assert copy.read_bytes() == store.read_bytes() and version_of_store(store)[: len(before)] == before
    assert [Path(f"{copy}{kind}").read_bytes() for kind in (".wal", ".wal.checkpoint")] == [b".wal", b".wal.checkpoint"]
    for file in left_beside(store)[:-1]:
        file.unlink()
    with pytest.raises(UserError, match=r"s\.duckdb\.wal\.recovery holds writes of another program"):
        change(store)


def test_a_copy_is_made_again_while_another_program_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, made = build_store(tmp_path / "s.duckdb", FILM), []

    def copyfile(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes())
        made.append(Path(target).name)
        if len(made) == 1:
            store.with_name("s.duckdb.wal").write_bytes(b"written meanwhile")

    monkeypatch.setattr("shutil.copyfile", copyfile)
    folder = tmp_path / "copy"
    folder.mkdir()
    copied(store, folder)
    assert made == ["store.duckdb", "store.duckdb.wal"] * 2
    assert (folder / "store.duckdb.wal").read_bytes() == b"written meanwhile"


def test_a_copy_that_is_made_again_holds_nothing_of_the_first_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, made = build_store(tmp_path / "s.duckdb", FILM), []
    wal = store.with_name("s.duckdb.wal")
    wal.write_bytes(b"of the file before")

    def copyfile(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes())
        made.append(target)
        if len(made) == 2:  # a checkpoint: what was beside the file is in it
            store.write_bytes(store.read_bytes() + bytes(4096))
            wal.unlink()

    monkeypatch.setattr("shutil.copyfile", copyfile)
    (folder := tmp_path / "copy").mkdir()
    assert copied(store, folder).stat().st_size == store.stat().st_size
    assert [path.name for path in folder.iterdir()] == ["store.duckdb"]


def test_what_another_program_changes_all_the_time_is_told_and_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = build_store(tmp_path / "s.duckdb", FILM)

    def copyfile(source: Path, target: Path) -> None:
        Path(target).write_bytes(Path(source).read_bytes())
        store.write_bytes(store.read_bytes() + bytes(4096))

    monkeypatch.setattr("shutil.copyfile", copyfile)
    (folder := tmp_path / "copy").mkdir()
    with pytest.raises(
        UserError, match=r"cannot copy .*s\.duckdb: another program is writing to it; try again in a moment"
    ):
        copied(store, folder)
