"""The writer: a step is there whole or not at all, and what is there stays as it is."""

import errno
import json
import os
import shutil
from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from oracle import UserError
from oracle.log import LogWriter, compact, compaction, delete_run, open_log, run_info, run_row, upkeep, whole_run
from oracle.log import writer as writer_module
from oracle.log.compaction import merge_steps
from oracle.log.schema import LOSS
from tests.tiny_log import RUN, STEP_1, STEP_2, step_tables, write_tiny_log

STEP = step_tables(STEP_1)


def counts(root) -> dict[int, int]:
    with open_log(root) as log:
        return dict(log.sql("select step, count(*) from verdicts group by step order by step").fetchall())


def test_a_run_is_one_row_with_an_id_that_people_can_read(tmp_path):
    writer = LogWriter(tmp_path / "store.log", {**RUN, "settings": json.dumps({"seed": 1})})
    with open_log(tmp_path / "store.log") as log:
        (row,) = log.sql(
            "select run_id, kind, rec_num, lambda_safe, risk_threshold, settings->>'seed' from runs"
        ).fetchall()
        ((started,),) = log.sql("select started_at from runs").fetchall()
    assert row == (writer.run_id, "train", 3, 1.0, 0.66, "1")
    assert writer.run_id.startswith(f"{started:%Y%m%d-%H%M%S}-")  # both UTC


def test_runs_that_start_in_the_same_second_are_told_apart(tmp_path, monkeypatch):
    drawn = (f"{number // 2:04x}" for number in range(99))  # each number twice, one after the other
    monkeypatch.setattr("secrets.token_hex", lambda _: next(drawn))
    assert len({LogWriter(tmp_path, RUN).run_id for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "training"}, "kind 'training': expected one of train, evaluate"),
        ({"unresolved": "skip"}, "unresolved 'skip': expected one of safe, violation, ignore"),
        ({"rec_num": 32767, "lambda_end": 1.0}, "rec_num 32767 makes 32768 ranks a list: expected 32767 at most"),
        ({"rec_num": 0}, "rec_num 0: expected a whole number of at least 1"),
        ({"num_generations": 2.5}, "num_generations 2.5: expected a whole number"),
        ({"lamda_safe": 1}, "no setting lamda_safe"),
        ({"lambda_safe": "a lot"}, "lambda_safe 'a lot': expected a finite number"),
        ({"own_weights": {"mine": float("nan")}}, "own_weights of mine nan: expected a finite number"),
        ({"lambda_safe": 10**400}, "lambda_safe 1000*: expected a finite number"),
        ({"own_weights": [1]}, r"own_weights \[1\]: expected weights by their names"),
        ({"target_count": "many"}, "the run cannot be logged"),
        ({"target_count": 10**30}, "the run cannot be logged"),
        ({"settings": "\udce9"}, "the run cannot be logged"),
        ({"target_count": 0}, "target_count 0: expected a number of at least 1"),
        ({"lambda_repeat": -1.0}, "lambda_repeat -1.0: expected a number of at least 0"),
        ({"own_weights": {"relevance": 1.0}}, "own_weights of relevance: the log has a column for the reward"),
        (
            {"started_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))},
            "expected a time of the years 1 to 9999 in UTC",
        ),
        ({"started_at": 5}, r"started_at 5: expected a time \(datetime\), or None for now"),
    ],
)
def test_a_run_with_unusable_settings_is_refused_in_one_line(change, said, tmp_path):
    with pytest.raises(UserError, match=said) as error:
        LogWriter(tmp_path / "store.log", {**RUN, **change})
    assert "\n" not in str(error.value)
    assert not (tmp_path / "store.log").exists()


def test_a_run_without_a_time_began_now_and_one_too_large_for_its_readers_is_refused(tmp_path, monkeypatch):
    with LogWriter(tmp_path, {**RUN, "started_at": None, "dataset": "d\udce9.jsonl"}) as writer:
        writer.write_step(1, *STEP)
    assert writer.run["dataset"] == "d[U+DCE9].jsonl", "a file's name may be no UTF-8 text"
    assert counts(tmp_path) == {1: 13} and writer.run["started_at"].strftime("%Y%m%d-%H%M%S") == writer.run_id[:15]
    monkeypatch.setattr(run_row, "_MOST_WRITTEN", 2000)
    with pytest.raises(UserError, match=r"the run's settings have 2,\d+ bytes: expected 2,000 at most"):
        LogWriter(tmp_path, {**RUN, "settings": "x" * 2000})


@pytest.mark.parametrize("threshold", [-3, 0, 1e-10, 1.1, 5])
def test_a_threshold_that_no_risk_or_every_film_reaches_is_refused(threshold, tmp_path):
    with pytest.raises(UserError, match=r"^risk_threshold .*: expected a number above 0, and at most 1$"):
        LogWriter(tmp_path, {**RUN, "risk_threshold": threshold})


@pytest.mark.parametrize("step", [None, "1", 1.5, True, -1, 10**8, 2**70, float("nan")])
def test_what_is_no_number_of_a_step_is_refused_wherever_one_is_asked_for(step, tmp_path):
    loss = LOSS.empty_table().drop_columns(["step"])
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_step(np.int64(1), *STEP)
        for refused in (
            lambda: writer.write_step(step, *STEP),
            lambda: writer.write_loss(step, loss),
            lambda: writer.truncate_after(step),
        ):
            with pytest.raises(UserError, match=r"^step .*: expected a whole number of 0 to 99999999$"):
                refused()
    assert counts(tmp_path) == {1: 13}


def test_the_loss_of_a_step_takes_the_place_of_that_step_s_alone_in_whatever_order(tmp_path):
    def loss(lists: int) -> pa.Table:
        return pa.table(
            {"rank": [1, 2], "lists": [lists, 1], "ratio": [1.0] * 2, "clip_ratio": [0.0] * 2, "kl": [0.0] * 2}
        )

    with LogWriter(tmp_path, RUN) as writer:
        for step, lists in ((10, 4), (5, 2), (7, 3), (5, 6)):
            writer.write_loss(step, loss(lists))
        table = pq.read_table(writer.folder / "loss.parquet").select(["step", "rank", "lists"])
        assert list(zip(*table.to_pydict().values(), strict=True)) == [
            (5, 1, 6), (5, 2, 1), (7, 1, 3), (7, 2, 1), (10, 1, 4), (10, 2, 1)
        ]  # fmt: skip


def test_a_loss_of_another_shape_is_refused_and_what_was_there_stays(tmp_path):
    loss = pa.table({name: [1] for name in LOSS.names if name != "step"})
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_loss(1, loss)
        with pytest.raises(UserError, match=r"^by_rank lack the columns rank, kl: they have lists, ratio, clip_ratio$"):
            writer.write_loss(2, loss.drop_columns(["rank", "kl"]))
        with pytest.raises(UserError, match=r"^by_rank.kl has type string, expected double"):
            writer.write_loss(2, loss.set_column(4, "kl", pa.array(["much"])))
        assert pq.read_table(writer.folder / "loss.parquet")["step"].to_pylist() == [1]


def test_a_step_that_is_written_again_is_replaced(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_step(1, *STEP)
        writer.write_step(2, *STEP)
        writer.write_step(2, *step_tables(STEP_2))
    assert counts(tmp_path) == {1: 13, 2: 12}
    assert writer.steps() == [1, 2]
    compact(tmp_path, writer.run_id, grace_s=0.0)
    assert counts(tmp_path) == {1: 13, 2: 12}


def test_a_step_that_is_refused_leaves_nothing_that_counts_later(tmp_path):
    aside = tmp_path / "aside"
    with LogWriter(tmp_path / "log", RUN) as writer:
        for step in (1, 2, 3):
            writer.write_step(step, *STEP)
        (step_2,) = writer.folder.glob("step-00000002-*")
        (step_2 / "verdicts.parquet").rename(aside)
        with pytest.raises(UserError, match=r"step-00000002-.* can't be read; bring it back"):
            writer.write_step(3, *step_tables(STEP_2))
        aside.rename(step_2 / "verdicts.parquet")
        assert counts(tmp_path / "log") == {1: 13, 2: 13, 3: 13}
        shutil.copytree(step_2, writer.folder / "step-00000003-e00000001-f2")  # as a kill leaves it
        writer.truncate_after(2)
        assert writer.steps() == [1, 2] and counts(tmp_path / "log") == {1: 13, 2: 13}


def test_what_is_superseded_and_can_not_be_listed_is_no_reason_to_call_a_step_unwritten(tmp_path, monkeypatch):
    def broken(_):
        raise OSError(errno.EIO, "Input/output error")

    with LogWriter(tmp_path, RUN) as writer:
        monkeypatch.setattr(upkeep, "counted", broken)
        writer.write_step(1, *STEP)
    assert counts(tmp_path) == {1: 13}


def test_a_run_that_is_deleted_while_another_process_is_about_to_write_it_stays_deleted(tmp_path, monkeypatch):
    def deleting(check, run_id):
        def first(folder):
            check(folder)
            delete_run(tmp_path, run_id)

        return first

    for module, do in ((writer_module, LogWriter.resume), (compaction, compact)):
        run_id = write_tiny_log(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(module, "check_run", deleting(module.check_run, run_id))
            with pytest.raises(UserError, match=f"run {run_id} was deleted by another process"):
                do(tmp_path, run_id)
        assert not (tmp_path / run_id).exists()


def test_a_run_is_written_on_a_shared_folder_that_has_no_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("oracle.base.files.FileLock.acquire", refuse)
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_step(1, *STEP)
        writer.write_step(1, *step_tables(STEP_2))
    assert counts(tmp_path) == {1: 12}


def test_rows_may_come_in_any_order(tmp_path):
    completions, verdicts = STEP
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_step(1, completions.take([3, 1, 0, 2]), verdicts.take(list(range(12, -1, -1))))
    table = pq.read_table(writer.folder / "step-00000001-e00000000-f2" / "verdicts.parquet")
    assert list(zip(table["completion"].to_pylist(), table["rank"].to_pylist(), strict=True)) == [
        (0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (2, 4), (3, 1), (3, 2), (3, 3)
    ]  # fmt: skip
    assert table.filter(pa.compute.field("title") == "Heat")["prompt_id"].to_pylist() == ["B"]


def test_rewards_may_be_left_out_of_an_evaluation(tmp_path):
    completions, verdicts = STEP
    parts = [c for c in verdicts.column_names if c.startswith("r_")]
    with LogWriter(tmp_path, {**RUN, "kind": "evaluate"}) as writer:
        writer.write_step(0, completions, verdicts.drop_columns([*parts, "advantage", "n_tokens"]))
    with open_log(tmp_path) as log:
        assert log.sql("select count(*), count(r_total), count(advantage) from verdicts").fetchall() == [(13, 0, 0)]
        assert log.sql("select svr_20 from run_summary").fetchall() == [(1 / 5,)]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda c, v: (c.drop_columns(["prompt", "text"]), v), "completions lack the columns prompt, text"),
        (lambda c, v: (c, v.drop_columns(["title", "hit"])), "verdicts lack the columns title, hit"),
        (lambda c, v: (c.slice(1), v), "expected each of 0 to 2 once"),
        (lambda c, v: (c.slice(0, 2), v), r"verdicts of completion 2: its completions are 0 to 1"),
        (lambda c, v: (c, pa.concat_tables([v, v.slice(0, 1)])), "two verdicts for one completion and rank"),
        (lambda c, v: (c, v.set_column(0, "completion", pa.array(["x"] * 13))), "completion"),
        (lambda c, v: (c, v.set_column(v.column_names.index("year"), "year", pa.array([99999] * 13))), "verdicts.year"),
    ],
)
def test_a_step_of_another_shape_is_refused_and_nothing_is_written(spoil, said, tmp_path):
    with LogWriter(tmp_path, RUN) as writer, pytest.raises(UserError, match=said):
        writer.write_step(1, *spoil(*STEP))
    assert sorted(f.name for f in writer.folder.iterdir()) == [".lock", "manifest-00000000.parquet", "run.parquet"]
    assert counts(tmp_path) == {}


def test_a_step_without_answers_or_without_films_is_a_step(tmp_path):
    completions, verdicts = STEP
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_step(1, completions.slice(0, 0), verdicts.slice(0, 0))
        writer.write_step(2, completions, verdicts.slice(0, 0))
    assert writer.steps() == [1, 2]
    assert counts(tmp_path) == {2: 12}


@pytest.mark.parametrize("column", ["text", "n_films"])
def test_answers_without_what_figures_are_made_of_are_refused(tmp_path, column):
    completions, verdicts = STEP
    lacking = pa.array([None, *completions[column].to_pylist()[1:]], completions[column].type)
    with LogWriter(tmp_path, RUN) as writer:
        with pytest.raises(UserError, match=f"completions.{column} has 1 nulls: expected a value in every row"):
            writer.write_step(
                1, completions.set_column(completions.column_names.index(column), column, lacking), verdicts
            )
        assert writer.steps() == []


def test_ranks_without_a_row_are_those_where_nothing_was_emitted(tmp_path):
    """Recall, say, is a sum over the ranks of 1 to K by the lists that have the first of them."""
    completions, verdicts = STEP
    figures = "select columns('^(lists|svr|recall|ndcg|hit|film|dup|catalog)') from run_summary"
    shown = []
    for number, kept in enumerate((verdicts, verdicts.filter(pc.is_valid(verdicts["title"])))):
        with LogWriter(tmp_path / f"{number}", RUN) as writer:
            writer.write_step(1, completions, kept)
        with open_log(tmp_path / f"{number}") as log:
            shown.append(log.sql(figures).fetchall())
        assert counts(tmp_path / f"{number}") == {1: 13}
    assert shown[0] == shown[1] and kept.num_rows == 9


def test_a_rank_below_one_is_refused(tmp_path):
    completions, verdicts = STEP
    rank = pa.array([0, *verdicts["rank"].to_pylist()[1:]])
    with LogWriter(tmp_path, RUN) as writer, pytest.raises(UserError, match="a verdict of rank 0: ranks count from 1"):
        writer.write_step(1, completions, verdicts.set_column(verdicts.column_names.index("rank"), "rank", rank))


def test_resume_drops_what_a_killed_process_left_and_goes_on(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2, 3):
            writer.write_step(step, *STEP)
    folder = writer.folder
    (folder / ".tmp-step-00000004-abcd").mkdir()
    (folder / ".tmp-step-00000004-abcd" / "verdicts.parquet").write_bytes(b"half a fi")
    (folder / "step-00000003-e00000001-f2").mkdir()  # written again, in an epoch that no manifest announced
    with LogWriter.resume(tmp_path, writer.run_id) as again:
        assert again.steps() == [1, 2, 3]
        again.truncate_after(2)
        again.write_step(3, *step_tables(STEP_2))
        again.write_step(4, *STEP)
    assert counts(tmp_path) == {1: 13, 2: 13, 3: 12, 4: 13}
    assert not [f.name for f in folder.iterdir() if f.name[:5] in (".tmp-", ".gone")]


def test_a_resumed_run_refuses_a_step_that_can_not_be_read_and_knows_which_it_lacks(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2, 3, 4, 5, 6):
            writer.write_step(step, *STEP)
    [broken], [last] = (list(writer.folder.glob(f"step-0000000{n}-*/verdicts.parquet")) for n in (2, 6))
    for file in (broken, last):
        file.write_bytes(b"no Parquet")
    with LogWriter.resume(tmp_path, writer.run_id) as again:
        with pytest.raises(
            UserError, match=r"cannot go on with run .*step-00000002.* can't be read; bring it back, or move"
        ):
            again.truncate_after(5)  # and 6, which goes, may be broken
        with pytest.raises(UserError, match=r"cannot go on with run .*step-00000002.* can't be read"):
            again.check_up_to(5)
        assert again.lacking(5) == []
        shutil.rmtree(broken.parent)
        again.check_up_to(5)
        assert again.steps() == [1, 3, 4, 5, 6]
        again.truncate_after(5)
        assert again.lacking(8) == [(2, 2), (6, 8)]
        shutil.rmtree(next(writer.folder.glob("steps-*")))  # 1 to 5, which are merged by now
        again.check_up_to(5)  # keeps what a manifest says
        for refused in (again.check_up_to, again.truncate_after):  # which would have to cut what is gone
            with pytest.raises(UserError, match=r"cannot go on with run .*steps-00000001-00000005.* can't be read"):
                refused(4)
    with LogWriter(tmp_path, RUN) as writer:  # uses each batch for two steps
        for step in (1, 3, 7):
            writer.write_step(step, *STEP)
        assert writer.lacking(8) == [(5, 6)]


def test_only_one_process_writes_a_run(tmp_path):
    with LogWriter(tmp_path, RUN) as writer, pytest.raises(UserError, match="is being written by another process"):
        LogWriter.resume(tmp_path, writer.run_id)
    LogWriter.resume(tmp_path, writer.run_id).close()


@pytest.mark.parametrize("name", ["20200101-000000-0000", "../other", "", "_schema", ".", "a*"])
def test_a_run_that_is_not_there_is_named_with_those_that_are(name, tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        pass
    with pytest.raises(UserError, match=f"no run .* it has {writer.run_id}"):
        LogWriter.resume(tmp_path, name)


def test_a_run_that_is_removed_beneath_its_writer_is_told_in_one_line(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        shutil.rmtree(writer.folder)
        for do in (lambda: writer.write_step(1, *step_tables(STEP_1)), writer.steps):
            with pytest.raises(UserError, match="No such file or directory"):
                do()


def test_a_whole_run_is_in_the_log_at_the_end_or_not_at_all_and_upkeep_removes_what_kills_left(tmp_path):
    with whole_run(tmp_path, RUN) as writer:
        writer.write_step(1, *step_tables(STEP_1))
        assert not list(tmp_path.glob("2*"))
    assert counts(tmp_path) == {1: 13}
    with pytest.raises(KeyError), whole_run(tmp_path, RUN) as failed:
        failed.write_step(1, *step_tables(STEP_1))
        raise KeyError
    for name in (".gone-1", ".tmp-old", ".tmp-new"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / ".tmp-old", (0, 0))
    compact(tmp_path, writer.run_id, wait=False)
    assert {p.name for p in tmp_path.iterdir()} == {"_schema", writer.run_id, ".tmp-new"}


def test_hostile_texts_are_only_data(tmp_path):
    hostile = "'); drop table x; -- <script>\u202e\U0001f600 \x00 {run} $1 ?"
    answers = [{**a, "verdicts": [{**v, "title": v["title"] and hostile} for v in a["verdicts"]]} for a in STEP_1]
    completions, verdicts = step_tables(answers)
    completions = completions.set_column(completions.column_names.index("text"), "text", pa.array([hostile] * 4))
    with LogWriter(tmp_path, {**RUN, "model": hostile}) as writer:
        writer.write_step(1, completions, verdicts)
    with open_log(tmp_path) as log:
        assert log.sql("select distinct text from rollouts").fetchall() == [(hostile,)]
        assert log.sql("select distinct title from verdicts where title is not null").fetchall() == [(hostile,)]
        assert log.sql("select model from runs").fetchall() == [(hostile,)]
        assert hostile in log.sql("select sentence from why(?, 1, 0, 1)", params=[writer.run_id]).fetchall()[0][0]


def test_a_log_may_lie_in_a_folder_with_any_name(tmp_path):
    root = tmp_path / "it's [a] *strange* folder?" / "store.log"
    with LogWriter(root, RUN) as writer:
        writer.write_step(1, *STEP)
    assert counts(root) == {1: 13}


def test_a_log_in_folders_named_like_columns_shows_what_its_files_hold(tmp_path):
    """DuckDB would take a part NAME=VALUE of a path for a column, in place of that in the file."""
    loss = pa.Table.from_pylist([{name: 1 for name in LOSS.names if name not in ("run_id", "step")}])
    views = ("runs", "rollouts", "verdicts", "loss_by_rank", "rank_sums", "rank_penalties")
    shown = []
    for folder in (tmp_path, tmp_path / "lambda_safe=7" / "kind=evaluate" / "step=9" / "folder=x" / "rank=2"):
        root = folder / "store.log"
        with LogWriter(root, RUN) as writer:
            for step in (1, 2):
                writer.write_step(step, *STEP)
            writer.write_loss(2, loss)
        with LogWriter.resume(root, writer.run_id), open_log(root) as log:
            for merged in (0, 2):
                rows = {view: log.sql(f"from {view}").pl() for view in views}
                shown.append(
                    {
                        v: (t.columns, sorted(map(str, t.drop("run_id", "started_at", strict=False).rows())))
                        for v, t in rows.items()
                    }
                )
                assert merged or merge_steps(root / writer.run_id) == 2
    assert shown[0] == shown[1] == shown[2] == shown[3] and all(rows for _, rows in shown[0].values())


def test_run_info_knows_the_versions_and_the_checkout(tmp_path):
    info = run_info(tmp_path)
    assert info["versions"]["duckdb"]
    assert info["git"] is None
    import subprocess

    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path)], check=True)
    (tmp_path / "new file.txt").write_text("x")
    assert run_info(tmp_path)["git"] == {"commit": None, "branch": "main", "changed": ['"new file.txt"']}


def test_a_run_that_could_not_be_gone_on_with_is_let_go_of(tmp_path, monkeypatch):
    """Also while somebody holds the error, as a notebook does with its last one."""
    run_id = write_tiny_log(tmp_path)
    for where in ("filled", "ensure_schema", "tell_of_state"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt) as kept:
            patch.setattr(writer_module, where, _interrupted)
            LogWriter.resume(tmp_path, run_id)
        LogWriter.resume(tmp_path, run_id).close()
        assert kept.tb


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt
