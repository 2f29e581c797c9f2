"""A Ray cluster judges as one process does, row for row, and an actor that is killed costs time and nothing else."""

import os
import signal
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle.base.errors import UserError
from oracle.cli import cluster as on_cluster
from oracle.cli.main import main
from oracle.cluster import StoreCopy, cluster
from oracle.store import build_starter_store

WANTED: list[list[str] | None] = [["gore"], None, [], ["Horror avoider", "suicide"]]


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("cluster") / "store.duckdb"
    build_starter_store(path)
    return path


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """Three files of 400 films, with ids, lists of constraints, and years that are missing here and there."""
    folder = tmp_path_factory.mktemp("films")
    titles = ["Saw", "Up", "Alien", "The Thing", "Sow", "Zzyzx", "Frozen"]
    for file in range(3):
        numbers = range(400 * file, 400 * (file + 1))
        table = pa.table(
            {
                "other": [0.5] * 400,
                "id": [f"film-{n}" for n in numbers],
                "title": [titles[n % 7] for n in numbers],
                "year": pa.array([None if n % 5 == 0 else 2004 for n in numbers], pa.int64()),
                "constraints": pa.array([WANTED[n % 4] for n in numbers], pa.list_(pa.string())),
            }
        )
        pq.write_table(table, folder / f"films-{file}.parquet", row_group_size=100)
    return folder


class KilledOnce(on_cluster.OracleActor):
    """Dies in the middle of its work, once over all actors."""

    def __init__(self, store, settings, avoid, url):
        super().__init__(store, settings, avoid, url)
        self._mark, self._batches = Path(url).with_name("killed"), 0

    def __call__(self, films):
        self._batches += 1
        if self._batches == 2 and not self._mark.exists():
            self._mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(films)


def test_the_rows_are_those_of_one_process_in_its_order_though_an_actor_was_killed(
    store, films, two_cores, tmp_path, monkeypatch
):
    monkeypatch.setattr(on_cluster, "OracleActor", KilledOnce)
    monkeypatch.setattr(on_cluster, "BATCH", 100)
    asked = ["check", "--file", f"{films}/*.parquet", "--avoid", "animal death", "--store", str(store)]
    assert main([*asked, "--out", f"{tmp_path}/one.parquet"]) == 0
    assert main([*asked, "--engine", "ray", "--out", f"file://{tmp_path}/many"]) == 0
    assert (films / "killed").exists(), "no actor was killed"
    expected, found = pq.read_table(tmp_path / "one.parquet"), pq.read_table(tmp_path / "many")
    assert found.schema == expected.schema and found.equals(expected)
    assert expected["id"].to_pylist() == [f"film-{n}" for n in range(1200)] and (tmp_path / "many/_SUCCESS").exists()
    assert len(list((tmp_path / "many").glob("*.parquet"))) > 1, "all in one part: the order of parts wasn't tested"


def test_what_an_actor_refuses_is_one_line_and_no_folder_is_called_whole(store, two_cores, tmp_path, capsys):
    wrong = pa.table({"title": ["Saw", "Up"], "year": [2004, 2009], "constraints": [["gore"], ["gluten"]]})
    pq.write_table(wrong, tmp_path / "wrong.parquet")
    asked = ["check", "--file", f"{tmp_path}/wrong.parquet", "--store", str(store), "--engine", "ray"]
    assert main([*asked, "--out", f"{tmp_path}/out"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"error: {tmp_path}/wrong.parquet: ") and "gluten" in said
    assert not (tmp_path / "out/_SUCCESS").exists()


def test_a_store_too_large_to_copy_is_said_before_anything_starts(two_cores, tmp_path):
    with open(tmp_path / "large.duckdb", "wb") as file:
        file.truncate(60 * 2**20)
    with pytest.raises(
        UserError, match=r"large.duckdb has 60.0 MiB, and a copy of it goes to each machine.*shares 100.0 MiB"
    ):
        StoreCopy(tmp_path / "large.duckdb")


def test_decisions_about_titles_travel_with_the_store(store, two_cores, tmp_path):
    from oracle import confirm_alias, create_oracle

    path = tmp_path / "store.duckdb"
    path.write_bytes(store.read_bytes())
    confirm_alias(path, "The one with the saw", 2004, "tt0387564")
    with StoreCopy(path).copied() as copy:
        oracle = create_oracle(store=copy)
    assert not copy.exists() and oracle.check_safety("The one with the saw", 2004).imdb_id == "tt0387564"


def test_without_ray_the_way_to_get_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"--engine ray: needs Ray; pip install 'safe-rank-grpo\[ray\]'"), cluster(None):
        pass


@pytest.mark.parametrize(
    ("flags", "said"),
    [("--engine ray", "expected --out"), ("--engine ray --json --out x", "without --json"), ("--address auto", "--address belongs to --engine ray"),
     ("--engine ray --out {films}", "is there already"), ("--engine ray --out x", "no such file")],
)  # fmt: skip
def test_flags_that_cant_be_heeded_are_refused(store, films, tmp_path, monkeypatch, capsys, flags, said):
    monkeypatch.chdir(tmp_path)
    file = "none-*.parquet" if said == "no such file" else f"{films}/*.parquet"
    assert main(["check", "--file", file, "--store", str(store), *flags.format(films=films).split()]) == 2
    assert said in capsys.readouterr().err


def test_one_process_reads_parquet_from_any_address_and_keeps_ids(store, tmp_path, capsys):
    import fsspec

    memory = fsspec.filesystem("memory")
    for name, kind in (("b", pa.string()), ("a", pa.list_(pa.string()))):
        wanted = pa.array(["gore; suicide" if name == "b" else ["gore", "suicide"], None], kind)
        with memory.open(f"/films/{name}.parquet", "wb") as file:
            pq.write_table(
                pa.table({"year": [2004.0, None], "title": ["Saw", "Up"], "constraints": wanted, "id": [1, 2]}), file
            )
    assert main(["check", "--file", "memory://films/*.parquet", "--store", str(store)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [["1", '"Saw"', "2004"], ["2", '"Up"', ""]] * 2
    assert lines[1] == lines[3] and '"unsafe"' in lines[1]


@pytest.mark.parametrize(
    ("table", "said"),
    [(pa.table({"title": ["Saw"]}), "lacks the column year"), (pa.table({"title": ["Saw"], "year": ["x"]}), "year a whole number"),
     (pa.table({"title": ["Saw"], "year": [2004], "constraints": [["gore", None]]}), "a constraint is null"),
     (pa.table({"title": ["Saw"], "year": [2004], "constraints": [3]}), "constraints are of type int64"), (None, "as Parquet")],
)  # fmt: skip
def test_a_parquet_file_that_holds_no_films_is_one_line(store, tmp_path, capsys, table, said):
    if table is None:
        (tmp_path / "films.parquet").write_bytes(b"PAR1")
    else:
        pq.write_table(table, tmp_path / "films.parquet")
    assert main(["check", "--file", f"{tmp_path}/films.parquet", "--store", str(store)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "films.parquet" in line and said in line
