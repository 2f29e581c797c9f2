"""Runs that crashes, other programs and people have broken: they are told, and change no figure of the runs beside them."""

import os
import shutil
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle import UserError, build_store
from oracle.log import LogWriter, ask, compact, delete_run, export_run, open_audit, open_log, query, reading
from oracle.log import state as log_state
from oracle.log.folders import run_folder
from oracle.log.schema import LOSS
from tests.tiny_log import RUN as TINY
from tests.tiny_log import STEP_1, step_tables, write_tiny_log

STEP = "step-00000001-e00000000-f2"
RUN, MANIFEST, VERDICTS = "run.parquet", "manifest-00000000.parquet", f"{STEP}/verdicts.parquet"


def no_parquet(file: Path) -> None:
    file.write_bytes(b"PAR1, it says" * 9)


def linked_away(file: Path) -> None:
    """Whole, but outside of the log."""
    outside = next(folder for folder in file.parents if folder.name == "log").parent
    file.symlink_to(file.rename(outside / f"{file.parts[-2]}-{file.name}"))


def damaged(file: Path) -> None:
    """Its end is right, its pages aren't: DuckDB says so without the file's name."""
    content = bytearray(file.read_bytes())
    content[4:200] = b"\x0e" * 196
    file.write_bytes(bytes(content))


def texts(file: Path) -> None:
    table = pq.read_table(file)
    pq.write_table(pa.table({name: ["x"] * len(table) for name in table.column_names}), file)


def twice(file: Path) -> None:
    table = pq.read_table(file)
    pq.write_table(pa.concat_tables([table, table]), file)


def nulls(file: Path) -> None:
    table = pq.read_table(file)
    pq.write_table(pa.table([pa.nulls(len(table), field.type) for field in table.schema], schema=table.schema), file)


def no_number(file: Path) -> None:
    table = pq.read_table(file)
    at = table.column_names.index("lambda_safe")
    pq.write_table(table.set_column(at, "lambda_safe", pa.array([float("nan")])), file)


def listing_a_folder_twice(file: Path) -> None:
    compact(file.parents[1], file.parent.name, grace_s=0.0)
    manifest = file.with_name("manifest-00000001.parquet")
    twice(manifest)
    manifest.rename(file)  # so that there is one of this name


def without_a_column(file: Path) -> None:
    pq.write_table(pq.read_table(file).drop_columns(["title"]), file)


def without_a_step(file: Path) -> None:
    pq.write_table(pq.read_table(file).drop_columns(["step"]), file)


def without_a_setting(file: Path) -> None:
    pq.write_table(pq.read_table(file).drop_columns(["risk_threshold"]), file)


def with_a_column(file: Path) -> None:
    pq.write_table(pq.read_table(file).append_column("filename", pa.array(["/etc/passwd"])), file)


def without_rows(file: Path) -> None:
    pq.write_table(pq.read_schema(file).empty_table(), file)


# What is forged, and what is left out for it: the run, or a part of it.
FORGED: list[tuple[str, Callable, str]] = [
    (RUN, no_parquet, "run"),
    (RUN, damaged, "run"),
    (RUN, texts, "run"),
    (RUN, twice, "run"),
    (RUN, with_a_column, "run"),
    (RUN, without_a_setting, "run"),
    (RUN, nulls, "run"),
    (RUN, no_number, "run"),
    (RUN, Path.unlink, "run"),
    (RUN, linked_away, "run"),
    (MANIFEST, no_parquet, "run"),
    (MANIFEST, texts, "run"),
    (MANIFEST, listing_a_folder_twice, "run"),
    (MANIFEST, twice, "run"),
    (MANIFEST, without_rows, "run"),
    (VERDICTS, no_parquet, STEP),
    (VERDICTS, damaged, STEP),
    (VERDICTS, texts, STEP),
    (VERDICTS, without_a_column, STEP),
    (VERDICTS, linked_away, STEP),
    ("loss.parquet", no_parquet, "loss.parquet"),
    ("loss.parquet", without_a_step, "loss.parquet"),
]
FIGURES = (
    "select * from rank_sums join runs using (run_id) join run_summary using (run_id) where run_id = $run order by all"
)
ROWS = "select * from verdicts join rollouts using (run_id, step, completion) where run_id = $run order by all"


@pytest.fixture
def log(tmp_path) -> Path:
    write_tiny_log(tmp_path / "log")
    return tmp_path / "log"


def good_run(log: Path) -> str:
    return next(log.glob("20*")).name


def forge(log: Path, number: int, name: str, fault: Callable) -> Path:
    """A copy of the good run, first among all, that says it is the good run, with a fault."""
    folder = Path(shutil.copytree(log / good_run(log), log / f"1{number:02}-forged"))
    (folder / "loss.parquet").write_bytes((log / "_schema" / "loss.parquet").read_bytes())
    fault(folder / name)
    return folder


def test_what_would_count_twice_or_be_missed_in_silence_is_told(log):
    good = log / good_run(log)
    merged = "steps-00000001-00000002-e00000001-f2"
    with open_log(log) as connection:
        compact(log, good.name, grace_s=0.0)
        gone, twice = (Path(shutil.copytree(good, log / name)) for name in ("1-gone", "1-twice"))
        shutil.copytree(twice / merged, twice / "step-00000002-e00000001-f2")
        no_pattern = Path(shutil.copytree(good, log / "1-\\x"))
        (log / "1-link").symlink_to(good)
        assert query(connection, "from verdicts").num_rows == 2 * 25
        shutil.rmtree(gone / merged)
        assert query(connection, "from verdicts").num_rows == 25
    wrong = {gone / merged, twice / "step-00000002-e00000001-f2", no_pattern, log / "1-link"}
    assert set(log_state.state_of(log).left_out()) == wrong
    with pytest.raises(UserError, match="step-00000002-e00000001-f2 is a step that is merged already: move it away"):
        compact(log, twice.name)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs Unix")
def test_folders_that_may_not_be_read_are_told(log):
    for folder in (log, *log.parents):
        if os.stat(folder).st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    good = log / good_run(log)
    closed = Path(shutil.copytree(good, log / "1-closed"))
    (store := log.with_name("s.duckdb")).write_bytes(b"")
    (shut := log.with_name("shut.log")).mkdir()
    entered = Path(shutil.copytree(log, log.with_name("entered.log")))
    schema = shutil.copytree(log, log.with_name("schema.log")) / "_schema" / RUN
    for path in (closed, good / STEP, store, shut, schema):
        path.chmod(0)
    entered.chmod(0o711)  # which may be entered, and not listed
    if (root := os.geteuid()) == 0:
        os.seteuid(65534)
    try:
        with open_log(log) as connection:
            assert query(connection, "from verdicts").num_rows == 12
        assert set(log_state.state_of(log).left_out()) == {closed, good / STEP}
        with pytest.raises(UserError, match=r"cannot copy .*s.duckdb into .*: Permission denied$"):
            open_audit(store)
        with pytest.raises(UserError, match=rf"^cannot read '{schema}': Permission denied; check"):
            open_log(schema.parents[1])
        for unseen in (shut, entered):
            with pytest.raises(UserError, match=rf"^cannot read the run log .*{unseen.name}: Permission denied"):
                open_log(unseen)
        with open_log(log) as connection:
            os.seteuid(root)
            log.chmod(0o711)
            if root == 0:
                os.seteuid(65534)
            with pytest.raises(UserError, match=r"^cannot list the log .*: Permission denied; ask its owner"):
                query(connection, "from verdicts")
    finally:
        os.seteuid(root)
        log.chmod(0o755)
        entered.chmod(0o755)
        for folder in (closed, good / STEP, shut):
            folder.chmod(0o755)


def test_a_run_whose_folder_has_a_name_of_no_run_is_told(log):
    good = log / good_run(log)
    with open_log(log) as connection:
        misnamed = Path(shutil.copytree(good, log / "best-so-far"))
        (log / "notes").mkdir()
        (log / "exports.parquet").write_bytes(b"")
        (log / "lost+found").mkdir(0)
        (log / "latest").symlink_to(good)
        assert query(connection, "from verdicts").num_rows == 25
        assert log_state.state_of(log).left_out() == [misnamed]
        with pytest.raises(
            UserError, match="cannot use the run 'best-so-far': give its folder a name that begins with a digit"
        ):
            compact(log, misnamed.name)
        with pytest.raises(UserError, match="cannot use the run 'best-so-far'"):
            run_folder(log, misnamed.name)
        (no_text := Path(os.fsdecode(os.fsencode(log) + b"/caf\xe9"))).mkdir()
        shutil.copyfile(misnamed / RUN, no_text / RUN)
        assert query(connection, "from verdicts").num_rows == 25
        assert "caf\ufffd" in (log_state.state_of(log).told() or "")
        shutil.rmtree(no_text)
        misnamed.rename(log / "_best-so-far")  # set aside on purpose
        assert query(connection, "from verdicts").num_rows == 25
        assert log_state.state_of(log).told() is None


ODD_DIGITS = [
    "step-0000000٣-e00000000-f2",
    "step-00000003-e0000000०-f2",
    "step-00000003-e00000000-f1",
    "manifest-0000000٩.parquet",
]


@pytest.mark.parametrize("name", ODD_DIGITS)
def test_a_name_that_no_pattern_of_the_views_fits_is_none_for_a_merge_either(log, name):
    """Digits of other scripts, and a format that had other names: a merge took them in, and no reader its manifest."""
    good = log / good_run(log)
    odd = MANIFEST if name.startswith("manifest") else STEP
    (shutil.copytree if (good / odd).is_dir() else shutil.copyfile)(good / odd, good / name)
    with open_log(log) as connection:
        before = query(connection, "from verdicts order by all")
        compact(log, good.name, grace_s=0.0)
        assert query(connection, "from verdicts order by all").equals(before)
    with LogWriter.resume(log, good.name) as writer:
        assert writer.steps() == [1, 2]
    assert (good / name).exists() and log_state.state_of(log).told() is None


def test_the_error_of_a_statement_in_a_transaction_of_the_caller_s_is_told(log):
    with open_log(log) as connection:
        connection.begin()
        with pytest.raises(UserError, match="No such run"):
            query(connection, "select error('No such run')")
        connection.rollback()
        assert query(connection, "from verdicts").num_rows == 25


@pytest.mark.parametrize("way", ["store.log", "./store.log", "../sweep[[]1]/store.log"])
@pytest.mark.parametrize("is_gone", [True, False])
@pytest.mark.parametrize("is_merged", [True, False])
def test_what_is_broken_is_left_out_by_every_way_to_the_log(tmp_path, monkeypatch, way, is_gone, is_merged):
    store = build_store(tmp_path / "there" / "store.duckdb", [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}])
    run = write_tiny_log(tmp_path / "sweep[1]" / "store.log")
    monkeypatch.chdir(tmp_path / "sweep[1]")
    if is_merged:
        compact("store.log", run, grace_s=0)
    file = next(Path("store.log", run).absolute().glob("step*-00000001-*/verdicts.parquet"))
    with duckdb.connect(store, read_only=True) as plain:
        plain.execute(f"set variable log_root = '{way}'")
        steps = "select distinct step from verdicts order by step"
        assert query(plain, steps)["step"].to_pylist() == [1, 2]
        if is_gone:
            file.unlink()
        else:
            file.write_bytes(b"PAR1" + bytes(400) + file.read_bytes()[404:])
        assert query(plain, steps)["step"].to_pylist() == ([] if is_merged else [2])
        assert file.parent in log_state.state_of("store.log").parts


@pytest.mark.parametrize("name", ["completions", "verdicts"])
def test_a_merge_over_a_step_that_is_damaged_within_says_which_it_is_and_an_export_leaves_it_out(log, tmp_path, name):
    run = log / good_run(log)
    step = run / "step-00000002-e00000000-f2"
    written = bytearray((step / f"{name}.parquet").read_bytes())
    written[40:400] = bytes(360)
    (step / f"{name}.parquet").write_bytes(written)
    with pytest.raises(UserError, match=f"{step.name} can't be read; bring it back, or move it away"):
        compact(log, run.name)
    assert export_run(log, run.name, tmp_path / "run.csv") == 13
    assert export_run(log, run.name, tmp_path / "run.parquet") == 13
    assert step in log_state.state_of(log).parts


def test_nothing_is_added_to_what_cannot_be_read_and_the_reason_is_told(log):
    good = log / good_run(log)
    shutil.copytree(good / STEP, good / "step-00000003-e00000000-f2")
    with pytest.raises(UserError, match="step-00000003-e00000000-f2 can't be read; bring it back, or move it away"):
        compact(log, good.name)  # its rows are of step 1
    with LogWriter.resume(log, good.name) as writer:
        no_parquet(good / "loss.parquet")
        with pytest.raises(UserError, match=r"loss.parquet can't be read; bring it back, or move it away"):
            writer.write_loss(3, LOSS.empty_table().drop_columns(["step"]))
    with pytest.raises(UserError, match=r"loss.parquet can't be read; bring it back, or move it away"):
        LogWriter.resume(log, good.name)
    good.rename(log / "2 old")
    with pytest.raises(UserError, match="give its folder a name that begins with a digit"):
        compact(log, "2 old")
    (log / "2 old" / RUN).unlink()
    os.mkfifo((log / "2 old").rename(log / "2-old") / RUN)
    with pytest.raises(UserError, match=r"run 2-old is left out, as .*run.parquet can't be read"):
        compact(log, "2-old")


def test_every_door_of_the_log_tells_the_same_of_a_run_that_cannot_be_read(log, tmp_path):
    """Whoever is to read, go on with, or merge a forged run names the file, and what to do."""
    for number, (name, fault, out) in enumerate(FORGED):
        folder = forge(log, number, name, fault)
        doors = {
            "resume": lambda run: LogWriter.resume(log, run).close(),
            "cut back": lambda run: cut_back(log, run),
            "merge": lambda run: compact(log, run, grace_s=0.0),
            "export": lambda run: export_run(log, run, tmp_path / f"{run}.csv"),
        }
        if out == STEP:  # the other steps are there to be read
            doors = {door: doors[door] for door in ("cut back", "merge")}
        if out == "loss.parquet":  # which no other table needs
            doors = {door: doors[door] for door in ("resume", "cut back")}
        for door, use in doors.items():
            with pytest.raises(UserError) as refused:
                use(folder.name)
            told = str(refused.value)
            assert folder.name in told and name.split("/")[0] in told and "bring it back" in told, (door, name, told)
        if fault is not Path.unlink:
            delete_run(log, folder.name)
            assert not folder.exists()


def cut_back(log: Path, run: str) -> None:
    with LogWriter.resume(log, run) as writer:
        writer.truncate_after(1)


def test_broken_runs_are_told_and_change_no_figure_of_another(log, tmp_path, caplog):
    good = good_run(log)
    with open_log(log) as connection:
        before = [query(connection, sql, {"run": good}).to_pylist() for sql in (FIGURES, ROWS)]
        folders = [forge(log, n, name, fault) for n, (name, fault, _) in enumerate(FORGED)]
        assert [query(connection, sql, {"run": good}).to_pylist() for sql in (FIGURES, ROWS)] == before
        step_2, loss = (sum(out == part for *_, out in FORGED) for part in (STEP, "loss.parquet"))
        assert query(connection, "from verdicts").num_rows == 25 + 25 * loss + 12 * step_2
        shown = ask(connection, "runs")["run_id"].to_pylist()
        assert query(connection, "from loss_by_rank").num_rows == 0
    told = set(log_state.state_of(log).left_out())
    assert told == {f / (name if out == "run" else out) for f, (name, _, out) in zip(folders, FORGED, strict=True)}
    gone = {folder.name for folder, (_, _, out) in zip(folders, FORGED, strict=True) if out == "run"}
    assert set(shown) == {good, *(folder.name for folder in folders)} - gone
    assert any("can't be read" in record.message for record in caplog.records)
    assert export_run(log, good, tmp_path / "good.parquet") == 25
    assert compact(log, good, grace_s=0.0).steps_merged == 2
    with open_log(log) as connection:
        assert query(connection, "from rank_sums where run_id = $run", {"run": good}).num_rows > 0
        with pytest.raises(
            UserError, match=rf"run {folders[0].name} is left out, as .*run.parquet can't be read: bring"
        ):
            ask(connection, "unsafe_hits", run=folders[0].name)
    with pytest.raises(UserError, match=r"run.parquet can't be read: bring"):
        export_run(log, folders[0].name, tmp_path / "none.parquet")


def test_a_run_that_writes_beside_a_broken_one_is_in_every_figure_at_once(log):
    forge(log, 0, RUN, no_parquet)
    with LogWriter(log, TINY) as writer, open_log(log) as connection:
        loss = pa.Table.from_pylist([{name: 1 for name in LOSS.names if name not in ("run_id", "step")}])
        for step in (1, 2):
            writer.write_step(step, *step_tables(STEP_1))
            writer.write_loss(step, loss)
            for view in ("verdicts", "loss_by_rank"):
                found = query(
                    connection, f"select distinct step from {view} where run_id = $run", {"run": writer.run_id}
                )
                assert found.num_rows == step


def test_a_manifest_that_is_removed_beneath_an_open_log_is_told(log):
    with open_log(log) as connection:
        assert query(connection, "from runs").num_rows == 1
        (log / good_run(log) / MANIFEST).unlink()
        assert query(connection, "from runs").num_rows == 0
    assert good_run(log) in (log_state.state_of(log).told() or "")


@pytest.mark.parametrize("fault", [no_parquet, texts, twice, nulls])
def test_nothing_is_added_to_a_run_whose_settings_cannot_be_read(log, fault):
    folder = forge(log, 0, RUN, fault)
    before = sorted(folder.rglob("*"))
    for change in (LogWriter.resume, compact):
        with pytest.raises(UserError, match=r"run.parquet can't be read: bring it back"):
            change(log, folder.name)
    assert sorted(folder.rglob("*")) == before


def test_damage_that_only_duckdb_sees_is_left_out_too(log):
    with open_log(log) as connection:
        before = query(connection, "from rollouts").num_rows
        compact(log, good_run(log), grace_s=0.0)
        folder = forge(log, 0, RUN, Path.exists)
        file = next(folder.glob("steps-*/verdicts.parquet"))
        content = file.read_bytes()
        file.write_bytes(content.replace(b"in_catalog", b"\xffn_catalog", 1))  # a name in the error, and no text
        assert query(connection, "select sum(hash(v::varchar)) from verdicts v").num_rows == 1
        assert query(connection, "from rollouts").num_rows == before
    assert log_state.state_of(log).left_out() == [file.parent]


def test_an_error_of_a_statement_sets_off_no_search_through_all_runs(log, monkeypatch):
    looked_for: list[bool] = []
    monkeypatch.setattr(reading, "find_broken", lambda root, said, anywhere, within_s: looked_for.append(anywhere))
    with open_log(log) as connection, pytest.raises(UserError, match="boom"):
        query(connection, "select case when i > 50000 then error('boom') end from range(100000) t(i)", most=90_000)
    assert looked_for == [False]


def test_a_run_whose_name_is_no_text_is_told(log):
    with open_log(log) as connection:
        os.rename(forge(log, 0, RUN, Path.exists), os.fsencode(log) + b"/2\xff")
        with pytest.raises(UserError, match="2� is no UTF-8: rename it"):
            query(connection, "from runs")


def test_what_is_brought_back_counts_again(log):
    folder = forge(log, 0, RUN, no_parquet)
    with open_log(log) as connection:
        assert query(connection, "from runs").num_rows == 1
        shutil.copyfile(log / good_run(log) / RUN, folder / RUN)
        assert query(connection, "from runs").num_rows == 2
    assert log_state.state_of(log).told() is None


def test_a_run_that_may_not_be_read_is_told_until_it_may(log):
    folder = forge(log, 0, RUN, Path.exists)
    os.utime(folder, (0, 0))  # what changed lately is looked at anyway
    with open_log(log) as connection:
        folder.chmod(0)
        if os.access(folder, os.R_OK):
            folder.chmod(0o755)
            pytest.skip("this user may read everything")
        seen, told = query(connection, "from runs").num_rows, log_state.state_of(log).left_out()
        folder.chmod(0o755)
        assert (seen, told) == (1, [folder])
        assert query(connection, "from runs").num_rows == 2


def test_a_query_that_meets_one_broken_run_after_another_has_one_time_for_all(log):
    """Each time it is asked, another run breaks; and what is left of its time goes down."""
    folders = iter([Path(shutil.copytree(log / good_run(log), log / f"1{n:02}-forged")) for n in range(9)])
    left = []

    def ask_again(left_s: float) -> None:
        left.append(left_s)
        time.sleep(0.02)
        file = next(folders) / "run.parquet"
        no_parquet(file)
        raise duckdb.IOException(f"{file} is no Parquet")

    with open_log(log) as connection, pytest.raises(StopIteration):
        reading.without_what_is_broken(connection, ask_again, 9.0)
    assert left[0] <= 9.0 and len(left) == 10
    assert all(later < earlier - 0.02 for earlier, later in pairwise(left))
