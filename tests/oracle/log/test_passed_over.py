"""What stands in a log's folder and is none of it: it changes no figure and stops no query, whatever state it is in."""

import os
import resource
import shutil
from pathlib import Path

import duckdb
import pytest

from oracle import UserError
from oracle.log import LogWriter, compact, open_log, query
from oracle.log import state as log_state
from oracle.log.views import create_log_views
from tests.tiny_log import RUN, STEP_1, step_tables, write_tiny_log

FIGURES = "select run_id, svr_20, steps, (select count(*) from verdicts) as verdicts from run_summary order by all"


@pytest.fixture
def log(tmp_path) -> Path:
    write_tiny_log(tmp_path / "log")
    return tmp_path / "log"


def figures(log: Path) -> list[dict]:
    with open_log(log) as connection:
        return query(connection, FIGURES).to_pylist()


def damage(file: Path) -> Path:
    os.truncate(file, 50)
    return file


def test_a_folder_whose_name_begins_with_a_line_is_no_run_however_broken_it_is(log, tmp_path):
    before, [run] = figures(log), log.glob("2*")
    shutil.copytree(run, log / "_old")
    assert figures(log) == before
    damage(log / "_old" / "run.parquet")
    damage(next(log.glob("_old/step-*/verdicts.parquet")))
    (log / "_current").symlink_to(run)
    (log / "_out").symlink_to(tmp_path)
    assert figures(log) == before
    broken = shutil.copytree(run, log / "1-broken")
    damage(broken / "run.parquet")
    assert figures(log) == before and list(log_state.state_of(log).runs) == ["1-broken"]


def test_plain_duckdb_takes_no_such_folder_for_a_run_either(log):
    [run] = log.glob("2*")
    shutil.copytree(run, log / "_old")
    damage(next(log.glob("_old/step-*/verdicts.parquet")))
    with duckdb.connect() as plain:
        create_log_views(plain, log)
        for view in ("runs", "verdicts", "loss_by_rank", "run_summary"):
            assert {run_id for (run_id,) in plain.sql(f"select run_id from {view}").fetchall()} <= {run.name}


def test_a_broken_schema_may_be_moved_away_within_the_log(log):
    before = figures(log)
    damage(log / "_schema" / "run.parquet")
    with pytest.raises(UserError, match="move its folder _schema away"):
        open_log(log)
    (log / "_schema").rename(log / "_schema.old")
    assert figures(log) == before


@pytest.mark.parametrize("damaged", [damage, lambda file: file.write_bytes(b"x" * 200 + file.read_bytes()[200:])])
def test_damage_in_what_no_longer_counts_stops_no_query(log, damaged):
    with LogWriter(log, RUN) as writer:
        for step in range(1, 8):
            writer.write_step(step, *step_tables(STEP_1))
    damaged(writer.folder / "step-00000005-e00000000-f2" / "verdicts.parquet")
    with LogWriter.resume(log, writer.run_id) as resumed:
        resumed.truncate_after(3)
        for step in range(4, 9):
            resumed.write_step(step, *step_tables(STEP_1))
    [found] = [row for row in figures(log) if row["run_id"] == writer.run_id]
    assert found["steps"] == 8 and log_state.state_of(log).told() is None


def test_plain_duckdb_misses_no_merged_steps_in_silence(log):
    [run] = log.glob("2*")
    compact(log, run.name, grace_s=0.0)
    with duckdb.connect() as plain:
        create_log_views(plain, log)
        [merged] = run.glob("steps-*")
        for missing in (merged, *merged.glob("*.parquet")):  # as in a mirror that has the manifest already
            missing.rename(log.parent / "away")
            for view in ("rollouts", "verdicts", "run_summary", "trait_breakdown"):
                with pytest.raises(duckdb.Error, match=f"{merged.name} lacks files, or is not copied yet"):
                    plain.sql(f"select count(*) from {view}").fetchall()
            (log.parent / "away").rename(missing)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux")
def test_a_lack_of_open_files_is_no_damage(log):
    with open_log(log) as connection:
        before, limits = query(connection, FIGURES), resource.getrlimit(resource.RLIMIT_NOFILE)
        for spare in range(4):
            open_now = max(map(int, os.listdir("/proc/self/fd")))
            resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 1 + spare, limits[1]))
            held = []
            try:
                with pytest.raises(OSError, match="Too many"):
                    while True:
                        held.append(os.open(os.devnull, os.O_RDONLY))
                for _ in range(spare):
                    os.close(held.pop())
                with pytest.raises(UserError, match=r"^too many files are open .*ulimit -n"):
                    query(connection, FIGURES)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                for handle in held:
                    os.close(handle)
            assert query(connection, FIGURES) == before
