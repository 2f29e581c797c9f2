"""What was listed for a statement is read for it, or the statement is asked again: nothing is left out in silence."""

import errno
import os
from pathlib import Path

import pyarrow as pa
import pytest

from oracle.log import LogWriter, compact, open_log, query, state_of
from oracle.log.folders import listed
from oracle.log.reading import of_one_state
from tests.synthetic_log import write_run
from tests.tiny_log import RUN, STEP_1, step_tables

FIGURES = "select run_id, step, count(*) as n from verdicts group by all order by all"
EACH = (
    FIGURES,
    "from rank_sums order by all",
    "select run_id from runs order by all",
    "from loss_by_rank order by all",
)


@pytest.fixture(scope="module")
def log_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with merged and single steps and a loss, and one with single steps, below a folder of an odd name."""
    root = tmp_path_factory.mktemp("log") / "sweep[1]" / "store.log"
    merged = write_run(root, steps=3, prompts=2)
    compact(root, merged, grace_s=0)
    with LogWriter.resume(root, merged) as writer:
        loss = {"rank": [1], "lists": [4], "ratio": [1.0], "clip_ratio": [0.0], "kl": [None]}
        writer.write_loss(3, pa.table(loss))
    with LogWriter(root, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *step_tables(STEP_1))
    return root


@pytest.mark.parametrize(
    "pattern",
    [
        "2*",
        "2*/run.parquet",
        "2*/loss.parquet",
        "2*/manifest-*.parquet",
        "2*/step-*",
        "2*/step-*/verdicts.parquet",
        "2*/steps-*",
    ],
)
def test_what_duckdb_does_not_find_for_a_moment_is_asked_for_again(log_root, pattern):
    """As where files run short: of a folder that can't be opened, DuckDB's patterns find nothing, and say nothing."""
    with open_log(log_root) as log:
        expected = [query(log, sql) for sql in EACH]
        there = sorted(log_root.glob(pattern))
        assert there
        for path in there:
            away, asked = path.with_name(f".away-{path.name}"), 0

            def read(_: float | None, path=path, away=away):
                nonlocal asked
                asked += 1
                if asked > 1:
                    return [log.sql(sql).to_arrow_table() for sql in EACH]
                path.rename(away)
                try:
                    return [log.sql(sql).to_arrow_table() for sql in EACH]
                finally:
                    away.rename(path)

            assert of_one_state(log, read, 20) == expected
            assert asked == 2


@pytest.mark.parametrize("name", ["20240101", "20240101[2]", "20240101'x", '20240101"x', "20240101\nx"])
def test_a_file_that_goes_from_a_step_is_told_by_the_next_query_whatever_the_name_of_its_run(tmp_path, name):
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *step_tables(STEP_1))
    folder = writer.folder.rename(tmp_path / name)
    with open_log(tmp_path) as log:
        steps = "select distinct step from verdicts order by step"
        assert query(log, steps)["step"].to_pylist() == [1, 2]
        [gone] = folder.glob("step-00000001-*")
        (gone / "verdicts.parquet").unlink()
        assert query(log, steps)["step"].to_pylist() == [2]
        assert gone in state_of(tmp_path).parts


def test_folders_that_are_no_runs_are_not_read_whatever_they_hold(log_root):
    with open_log(log_root) as log:
        expected = [query(log, sql) for sql in EACH]
        for odd in ("2024-copy", b"2024-\xff"):
            folder = Path(os.fsdecode(os.path.join(os.fsencode(log_root), os.fsencode(odd))))
            folder.mkdir()
            (folder / "loss.parquet").write_text("no Parquet")
        (log_root / "20loop").symlink_to("20loop")
        assert [query(log, sql) for sql in EACH] == expected


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.ESTALE])
def test_a_folder_that_the_system_cannot_list_is_an_error_and_no_empty_one(log_root, monkeypatch, number):
    real, run = os.listdir, max(log_root.glob("2*/run.parquet")).parent

    def failing(path="."):
        if Path(path) == run:
            raise OSError(number, os.strerror(number), str(path))
        return real(path)

    assert run.name in listed(log_root)
    monkeypatch.setattr(os, "listdir", failing)
    with pytest.raises(OSError, match=os.strerror(number)):
        listed(log_root)
