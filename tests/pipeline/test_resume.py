"""Going on with a run: from its newest whole checkpoint, with its own settings, and each step in the log once."""

import json
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import duckdb
import pytest
import torch
from safetensors.torch import load_file, save_file

from oracle import UserError
from oracle.log import LogWriter, open_log
from oracle.store import STORE_FORMAT
from pipeline import train
from pipeline.settings.checks import _paths
from pipeline.settings.flags import LORA_TARGETS, TrainSettings
from pipeline.settings.parsing import parse_settings
from pipeline.training.models import load_policy
from pipeline.training.runs import changed_settings, check_processes, find_run, going_on, last_checkpoint


def run_of(folder: Path, number: int, steps: tuple[int, ...] = (), whole: bool = True) -> Path:
    run = folder / "runs" / f"2026110{number}-000000-abcd"
    run.mkdir(parents=True)
    (run / "run_id").write_text(run.name)
    (run / "settings.yaml").write_text(f"train_path: data-{number}.parquet\nlr: 0.5\nlambda_safe: 2.0\n")
    for step in steps:
        (run / f"checkpoint-{step}").mkdir()
        save_file({"weight": torch.ones(9)}, run / f"checkpoint-{step}" / "model.safetensors")
        for name in ("optimizer.pt", "training_args.bin"):
            torch.save({"lr": 0.5}, run / f"checkpoint-{step}" / name)
        if whole or step != max(steps):
            (run / f"checkpoint-{step}" / "trainer_state.json").write_text("{}")
    return run


def test_resume_names_the_newest_run_or_one_by_folder_or_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = run_of(tmp_path, 1, (5, 10)), run_of(tmp_path, 2, (5,))
    assert find_run("newest").name == second.name
    assert find_run(first.name).name == find_run(str(first)).name == find_run("newest", str(first)).name == first.name
    with pytest.raises(UserError, match="--resume nowhere: no checkpoint of a run there"):
        find_run("nowhere")


def test_resume_says_why_the_newest_run_can_not_be_gone_on_with_and_takes_no_other_in_silence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--resume: no run in runs/; name the folder"):
        find_run("newest")
    run_of(tmp_path, 1, (5,))
    run_of(tmp_path, 2)  # stopped before its first checkpoint
    with pytest.raises(UserError, match=r"the newest run, .*1102.*, has no checkpoint .* --resume runs/20261101"):
        find_run("newest")


def test_what_is_told_to_go_on_with_a_run_can_be_typed_whatever_the_name_of_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = run_of(tmp_path, 1, (5,)).rename(tmp_path / "runs" / 'it\'s my "run" $1')
    run_of(tmp_path, 2)  # without a checkpoint
    with pytest.raises(UserError) as older:
        find_run("newest")
    [in_use] = _paths(TrainSettings(output_dir=str(run)))
    for told in (going_on(run, 9), str(older.value), in_use):
        assert find_run(shlex.split(told[told.index("--resume ", 1) :])[1]).resolve() == run


@pytest.mark.parametrize("part", ["trainer_state.json", "model.safetensors", "optimizer.pt"])
def test_a_checkpoint_that_was_cut_short_is_passed_over(tmp_path, part):
    run = run_of(tmp_path, 1, (200, 1000, 1200))
    assert last_checkpoint(run).name == "checkpoint-1200"
    (run / "checkpoint-1200" / part).unlink()
    assert last_checkpoint(run).name == "checkpoint-1000"
    with (run / "checkpoint-1000" / part).open("r+b") as file:
        file.truncate(file.seek(0, 2) - 1)
    assert last_checkpoint(run).name == "checkpoint-200"


def test_a_run_without_a_checkpoint_and_no_name_at_all_are_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = run_of(tmp_path, 1)
    with pytest.raises(
        UserError, match="that run stopped before its first checkpoint; start it again, in another folder"
    ):
        find_run(str(run))
    with pytest.raises(UserError, match='--resume "": expected the folder or the id'):
        parse_settings(TrainSettings, "train.py", ["--resume", ""], demo="train")


def test_a_resumed_run_keeps_its_settings_but_for_flags(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_of(tmp_path, 1, (5,))
    parsed = parse_settings(TrainSettings, "train.py", ["--resume", "--max_steps", "9"], demo="train")
    s = parsed.settings
    assert not parsed.is_demo and (s.train_path, s.lr, s.lambda_safe, s.max_steps) == ("data-1.parquet", 0.5, 2.0, 9)


@pytest.mark.parametrize(
    "change",
    [
        {"per_device_train_batch_size": 2}, {"gradient_accumulation_steps": 2}, {"mu": 2}, {"sft_checkpoint": 3},
        {"trl": ["epsilon=0.2"]}, {"lr": 1.0}, {"adam_beta1": 0.5}, {"optim": "sgd"}, {"save_steps": 1.0}, {"logging_steps": 2},
        {"seed": 1}, {"catalog_path": "other.csv"}, {"max_prompt_length": 9}, {"kl_beta": 0.5}, {"output_dir": "elsewhere"},
        {"lora_target_modules": ["q_proj"]},
    ],
)  # fmt: skip
def test_a_resumed_run_keeps_what_its_log_has_one_value_of_and_what_its_checkpoint_would_overrule(change):
    then = asdict(TrainSettings(train_path="x", trl=["epsilon=0.1"], output_dir="run"))
    (name,) = change
    with pytest.raises(
        UserError, match=f"--resume r: a run keeps its {name} .*: leave the flags out, or start a new run"
    ):
        changed_settings(then | {"resume": "r"} | change, then)


def test_a_resumed_run_may_change_its_length_and_how_it_runs_and_write_its_settings_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    then = asdict(TrainSettings(train_path=str(tmp_path / "x"), trl=["a=1", "b=2"], output_dir="run"))
    same = {"resume": "r", "train_path": "./x", "trl": ["b=2", "a=1"], "output_dir": str(tmp_path / "run")}
    same["lora_target_modules"] = [*reversed(LORA_TARGETS)]
    assert changed_settings(then | same, then) == {}
    changes = {"max_steps": 9, "report_to": "trackio", "gradient_checkpointing": True, "use_vllm": True}
    assert changed_settings(then | same | changes, then).keys() == changes.keys()


def test_a_resumed_run_keeps_its_number_of_processes(tmp_path):
    run = run_of(tmp_path, 1, (5,))
    for process in (0, 1):
        (run / "checkpoint-5" / f"rollouts_{process}.pt").touch()
    check_processes(run, 2)
    with pytest.raises(UserError, match=r"number of processes \(2, and here 1\): start it with .*--nproc_per_node 2"):
        check_processes(run, 1)


def test_stopped_and_resumed_equals_never_stopped(small_flags, small, tmp_path, capsys):
    """Weights, and each step of the log once; over the end of an epoch, and after a crash while step 3 was saved."""
    flags = [*small_flags, "--num_train_epochs", "2", "--lr", "1e-2", "--lr_scheduler_type", "constant"]
    # So small a model writes no list that could be rewarded: its entropy gives it something to learn.
    flags += ["--save_steps", "1", "--kl_beta", "0.1", "--trl", "entropy_coef=0.1"]
    train.main([*flags, "--output_dir", "whole", "--max_steps", "4"])
    train.main([*flags, "--max_steps", "3"])
    next(Path("runs").glob("*/checkpoint-3/trainer_state.json")).unlink()
    (last,) = [p for p in Path("runs").glob("*/checkpoint-2")]
    (last / "rollouts_1.pt").touch()
    with pytest.raises(UserError, match="a run keeps its number of processes"):
        train.main(["--resume", "--max_steps", "4"])
    (last / "rollouts_1.pt").unlink()
    with pytest.raises(UserError, match="a run keeps its lambda_safe, num_generations "):
        train.main(["--resume", "--lambda_safe", "9", "--num_generations", "4"])
    train.main(["--resume", "--max_steps", "4"])
    assert "checkpoint-2; max_steps: 3 → 4" in capsys.readouterr().err

    (run,) = Path("runs").iterdir()
    whole, resumed = (load_file(f / "final" / "model.safetensors") for f in (Path("whole"), run))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    untrained = load_file(small / "model" / "model.safetensors")
    assert not any(torch.equal(whole[name], untrained[name]) for name in whole)
    with duckdb.connect(small / "store.duckdb", read_only=True) as store:
        ids = [(Path("whole") / "run_id").read_text(), (run / "run_id").read_text()]
        steps = "select step, count(*) from rollouts where run_id = ? group by all order by all"
        logs = [store.execute(steps, [run_id]).fetchall() for run_id in ids]
        assert logs[0] == logs[1] == [(step, 8) for step in (1, 2, 3, 4)]
        answers = "select step, completion, text from rollouts where run_id = ? order by all"
        assert store.execute(answers, [ids[0]]).fetchall() == store.execute(answers, [ids[1]]).fetchall()


@pytest.fixture
def stopped(small_flags) -> Path:
    """A run of three steps that was stopped, in the folder `run`."""
    train.main([*small_flags, "--output_dir", "run", "--max_steps", "3", "--save_steps", "1", "--lr", "1e-2"])
    return Path("run")


def test_a_run_that_has_ended_is_told_so_instead_of_trained_on(stopped):
    before = (stopped / "final" / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match="it has ended, after 3 steps; raise --max_steps"):
        train.main(["--resume", "run"])
    with pytest.raises(UserError, match="step 3 is done, and the run would end at 2: raise --max_steps"):
        train.main(["--resume", "run", "--max_steps", "2"])
    assert (stopped / "final" / "model.safetensors").read_bytes() == before
    assert not (stopped / "checkpoint-4").exists()


def test_a_run_that_was_killed_behind_its_last_step_gets_its_final_model(stopped):
    before = load_file(stopped / "final" / "model.safetensors")
    shutil.rmtree(stopped / "final")
    train.main(["--resume", "run"])
    after = load_file(stopped / "final" / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not list((stopped / "final").glob("optimizer*")) and not (stopped / "checkpoint-4").exists()
    load_policy(str(stopped / "final"))


def test_the_final_model_of_an_earlier_end_is_not_that_of_a_run_that_is_prolonged(stopped):
    assert going_on(stopped, 3) == "the run has ended, its model is run/final"
    assert "go on from step 3 with --resume run" in going_on(stopped, 4)
    shutil.copytree(stopped / "final", "earlier")
    train.main(["--resume", "run", "--max_steps", "4"])
    shutil.rmtree(stopped / "final")
    Path("earlier").rename(stopped / "final")  # as where it is killed before the new one is in place
    assert "go on from step 4 with --resume run" in going_on(stopped, 4)
    train.main(["--resume", "run"])
    final, last = (load_file(stopped / name / "model.safetensors") for name in ("final", "checkpoint-4"))
    assert all(torch.equal(final[name], last[name]) for name in last)
    with pytest.raises(UserError, match="it has ended, after 4 steps"):
        train.main(["--resume", "run"])
    shutil.rmtree(stopped / "checkpoint-4")
    with pytest.raises(UserError, match="it has ended, after 4 steps"):  # it isn't trained again
        train.main(["--resume", "run"])


def test_a_run_that_an_earlier_version_ended_has_the_model_of_its_last_checkpoint(stopped):
    (stopped / "final" / "trained_steps").unlink()
    with pytest.raises(UserError, match="it has ended, after 3 steps"):
        train.main(["--resume", "run"])
    assert "the run has ended" in going_on(stopped, 3) and "go on from step 3" in going_on(stopped, 4)


def test_a_run_is_resumed_in_any_working_directory_and_wherever_its_folder_is_now(
    stopped, small, tmp_path, monkeypatch, capsys
):
    """And is told of steps that its log lacks, and of a store that was made anew."""
    [lost] = (small / "store.log" / (stopped / "run_id").read_text()).glob("step-00000002-*")
    shutil.rmtree(lost)
    (stopped / "store.sha256").write_text("of another")
    capsys.readouterr()
    (tmp_path / "elsewhere").mkdir()
    stopped.rename("elsewhere/moved")
    monkeypatch.chdir(tmp_path / "elsewhere")
    train.main(["--resume", "moved", "--max_steps", "4"])
    assert (tmp_path / "elsewhere/moved/checkpoint-4").exists()
    told = capsys.readouterr().err
    assert "lacks its steps 2, of 3 that are trained" in told
    assert "store.duckdb was built anew, or given other sources, since run moved began" in told
    assert (tmp_path / "elsewhere/moved/store.sha256").read_text() == "of another"


def test_other_prompts_under_the_same_name_are_refused(stopped, small, tmp_path):
    settings, data = stopped / "settings.yaml", tmp_path / "data.jsonl"
    data.write_text((small / "data.jsonl").read_text().replace("film 1", "film A"))
    settings.write_text(settings.read_text().replace(f"{small}/data.jsonl", str(data)))
    with pytest.raises(UserError, match=r"the prompts, .* are not those that the run began with; bring back the data"):
        train.main(["--resume", "run", "--max_steps", "4"])


def test_settings_that_were_lost_are_told(stopped):
    (stopped / "settings.yaml").write_text("")
    with pytest.raises(UserError, match=r"run/settings.yaml: has no train_path; bring it back"):
        train.main(["--resume", "run", "--max_steps", "4"])


@pytest.fixture(params=[1])
def behind(small, small_flags, request) -> Path:
    """A run in the folder `run` that logged four steps, with a line and an evaluation behind each, or each so many, and whose last
    checkpoint is of step 2."""
    rows = [json.loads(line) for line in (small / "data.jsonl").read_text().splitlines()[:2]]
    Path("val.jsonl").write_text("\n".join(json.dumps(row | {"prompt": "Another one?"}) for row in rows))
    each = str(request.param)
    flags = ["--eval_strategy", "steps", "--eval_steps", each, "--val_path", "val.jsonl", "--save_steps", "1"]
    flags += ["--logging_steps", each, "--lr_scheduler_type", "constant"]  # of a run of any length
    train.main([*small_flags, *flags, "--output_dir", "run", "--max_steps", "4"])
    for gone in ("checkpoint-3", "checkpoint-4", "final"):
        shutil.rmtree(Path("run") / gone)
    return Path("run")


def logged(run: Path, small: Path) -> list[list[tuple]]:
    """What the log has of a run, of its loss, and of its evaluations."""
    training, evaluations = ((run / name).read_text() for name in ("run_id", "evaluation_run_id"))
    steps = "select step, completion, text from rollouts where run_id = ? order by all"
    loss = "select distinct step from loss_by_rank where run_id = ? order by all"
    with open_log(small / "store.log") as log:
        return [
            log.execute(sql, [run_id]).fetchall()
            for sql, run_id in ((steps, training), (loss, training), (steps, evaluations))
        ]


@contextmanager
def damaged(file: Path) -> Iterator[None]:
    whole = file.read_bytes()
    file.write_bytes(b"damaged")
    yield
    file.write_bytes(whole)


def test_a_resume_that_is_refused_drops_nothing_and_one_that_goes_on_tells_what_it_drops(behind, small, capsys):
    before, log = logged(behind, small), small / "store.log"
    assert [rows[-1][0] for rows in before] == [4, 4, 4]
    training, evaluations = ((behind / name).read_text() for name in ("run_id", "evaluation_run_id"))
    [step, evaluation] = (next((log / run_id).glob("step-00000002-*")) for run_id in (training, evaluations))
    checkpoint = behind / "checkpoint-2"
    refused = [
        (lambda: damaged(step / "verdicts.parquet"), f"cannot go on with run {training}: .* can't be read"),
        (lambda: damaged(evaluation / "verdicts.parquet"), f"cannot go on with run {evaluations}: .* can't be read"),
        (lambda: LogWriter.resume(log, evaluations), "is being written by"),
        (lambda: damaged(checkpoint / "rollouts_0.pt"), "rollouts_0.pt: can't be read"),
        (lambda: damaged(checkpoint / "rng_state.pth"), None),  # which is read last
    ]
    for fault, said in refused:
        with fault(), pytest.raises(Exception, match=said):
            train.main(["--resume", "run"])
        assert logged(behind, small) == before, said
    capsys.readouterr()

    train.main(["--resume", "run", "--max_steps", "3"])
    told = f"the log of run {training} has 2 steps (3 to 4) and 2 evaluations (3 to 4) behind run/checkpoint-2"
    assert f"{told}: dropped when step 3 is trained again\n" in capsys.readouterr().err
    assert logged(behind, small) == [[row for row in rows if row[0] < 4] for rows in before]  # 3 came out as before


def test_a_run_that_ends_at_its_checkpoint_has_no_later_steps_in_its_log(behind, small, capsys):
    before = logged(behind, small)
    train.main(["--resume", "run", "--max_steps", "2"])
    assert "behind run/checkpoint-2: dropped as the run ends there\n" in capsys.readouterr().err
    assert logged(behind, small) == [[row for row in rows if row[0] < 3] for rows in before]
    with pytest.raises(UserError, match="it has ended, after 2 steps"):
        train.main(["--resume", "run"])
    train.main(["--resume", "run", "--max_steps", "3"])
    assert "dropped" not in capsys.readouterr().err
    assert logged(behind, small) == [[row for row in rows if row[0] < 4] for rows in before]


def test_other_held_out_prompts_under_the_same_name_are_refused(behind):
    """Else evaluations of one run are of two sets of prompts."""
    held_out = Path("val.jsonl")
    held_out.write_text(held_out.read_text().replace("Another one?", "Yet another?"))
    with pytest.raises(UserError, match=r"the held-out prompts, .* are not those that the run began with; bring back"):
        train.main(["--resume", "run", "--max_steps", "3"])


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        (1, []),
        (3, [
            "no line of metrics has 2 steps (1 to 2), as the run was to go on",
            "the model of step 2 was not evaluated: evaluate.py does that",
        ]),
    ],
    indirect=["behind"],
)  # fmt: skip
def test_a_run_that_is_ended_at_an_earlier_checkpoint_says_what_it_lacks(behind, told, capsys):
    train.main(["--resume", "run", "--max_steps", "2"])
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "no line" in line or "was not evaluated" in line] == told


def test_a_run_is_told_that_it_goes_on_by_the_rules_of_another_format_of_the_store(stopped, capsys):
    noted, go_on = stopped / "store.format", ["--resume", "run", "--max_steps", "4", "--dry_run"]
    capsys.readouterr()
    assert noted.read_text() == str(STORE_FORMAT)
    train.main(go_on)
    assert "judged by" not in capsys.readouterr().err
    noted.write_text("7")
    train.main(go_on)
    told = f"store.duckdb is of format {STORE_FORMAT}, and was of 7 when run run began: the steps from here on are judged by the rules of now"
    assert told in capsys.readouterr().err
    noted.unlink()  # of an earlier version, which noted none
    train.main(["--resume", "run", "--max_steps", "4"])
    assert "judged by" not in capsys.readouterr().err and not noted.exists()
