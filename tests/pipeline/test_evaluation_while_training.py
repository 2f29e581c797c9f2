"""`--eval_strategy`: held-out prompts are answered while training, and their rates are metrics."""

import json
import math
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from oracle import UserError
from oracle.log import open_log
from pipeline.settings.flags import TrainSettings
from pipeline.settings.trl_config import trainer_config
from pipeline.train import main
from pipeline.training.best import best_of, kept

RATES = (
    "svr",
    "svr_low",
    "svr_high",
    "svr_known",
    "unrated_rate",
    "unresolved_rate",
    "recall",
    "ndcg",
    "films_per_list",
)


@pytest.fixture
def held_out(small, tmp_path) -> str:
    rows = [json.loads(line) for line in (small / "data.jsonl").read_text().splitlines()[:3]]
    for row in rows:
        row["prompt"] = row["prompt"].replace("What", "And what")
    (tmp_path / "val.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return str(tmp_path / "val.jsonl")


def test_held_out_prompts_are_answered_at_the_steps_asked_for_and_the_last(small, small_flags, held_out):
    flags = ["--eval_strategy", "steps", "--eval_steps", "2", "--val_path", held_out, "--max_completion_length", "30"]
    main([*small_flags, *flags, "--max_steps", "3", "--save_steps", "3", "--output_dir", "run", "--run_name", "mine"])
    history = json.loads(Path("run/checkpoint-3/trainer_state.json").read_text())["log_history"]
    evaluated = [line for line in history if "eval_svr" in line]
    assert [line["step"] for line in evaluated] == [2, 3]
    assert all({f"eval_{name}" for name in RATES} <= line.keys() for line in evaluated)
    assert [line["step"] for line in history if "svr" in line] == [1, 2, 3]
    log = small / "store.log" / Path("run/run_id").read_text()
    logged = [pq.read_table(step / "completions.parquet")["prompt"].to_pylist() for step in sorted(log.glob("step-*"))]
    assert len(logged) == 3 and not any("And what" in prompt for prompts in logged for prompt in prompts)


SAFE = "1. Alien (1979)\n2. Heat (1995)"
BY_STEP = [  # ever fewer of the films are unsafe for those who avoid gore
    "1. Alien (1979)\n2. Saw (2004)",
    "1. Alien (1979)\n2. Saw (2004)\n3. Heat (1995)",
    SAFE,
    "1. Heat (1995)",
]


@pytest.fixture
def told_what_to_answer(monkeypatch):
    """Policies that get safer from step to step, and at last forget what the user likes."""

    def sample(trainer, prompt_ids, *_, **__):
        text = SAFE if trainer.model.training else BY_STEP[min(trainer.state.global_step, 3)]
        tokenizer = trainer.processing_class
        return [tokenizer(text)["input_ids"] + [tokenizer.eos_token_id] for _ in prompt_ids], None

    monkeypatch.setattr("trainer.rank_grpo_trainer.RankGRPOTrainer._generate_single_turn", sample)


def test_evaluations_are_logged_and_the_best_model_is_kept_also_after_a_resume(
    small, small_flags, held_out, told_what_to_answer, capsys
):
    flags = ["--eval_strategy", "steps", "--eval_steps", "1", "--val_path", held_out, "--max_completion_length", "60"]
    flags += [
        "--keep_best",
        "0.9",
        "--save_steps",
        "1",
        "--output_dir",
        "run",
        "--lr_scheduler_type",
        "constant",
        "--lr",
        "1e-2",
    ]
    flags += ["--trl", "entropy_coef=0.1", "--per_device_eval_batch_size", "2"]  # 3 prompts in two batches
    main([*small_flags, *flags, "--max_steps", "2"])
    assert json.loads(Path("run/best/evaluation.json").read_text())["step"] == 2
    main(["--resume", "run", "--max_steps", "3", "--save_steps", "1"])
    best = json.loads(Path("run/best/evaluation.json").read_text())
    assert best["step"] == 2 and best["eval_recall"] == 1.0  # step 3 violates less, and recalls nothing
    assert "best: run/best, of step 2" in capsys.readouterr().out
    kept, step_2, step_3 = (load_file(f"run/{name}/model.safetensors") for name in ("best", "checkpoint-2", "final"))
    assert all(torch.equal(kept[n], step_2[n]) for n in kept) and not all(torch.equal(kept[n], step_3[n]) for n in kept)

    training, evaluations = Path("run/run_id").read_text(), Path("run/evaluation_run_id").read_text()
    history = json.loads(Path("run/checkpoint-3/trainer_state.json").read_text())["log_history"]
    evaluated = [line for line in history if "eval_svr" in line]
    with open_log(small / "store.log") as log:
        found = log.sql(
            "select step, lists, svr, svr_low, svr_high, recall, ndcg, films_per_list from step_curves where run_id = $run order by step",
            params={"run": evaluations},
        ).fetchall()
        [(kind, of)] = log.sql(
            "select kind, training_run(settings) from runs where run_id = $run", params={"run": evaluations}
        ).fetchall()
        assert log.sql(
            "select count(*) filter (differs), count(*) > 9 from rederive($run)", params={"run": evaluations}
        ).fetchall() == [(0, True)]
    assert (kind, of) == ("evaluate", training)
    assert [row[:2] for row in found] == [(step, 3) for step in range(4)]
    for row, line in zip(found, evaluated, strict=True):
        names = ("svr", "svr_low", "svr_high", "recall", "ndcg", "films_per_list")
        assert list(row[2:]) == pytest.approx([line[f"eval_{name}"] for name in names])
    assert [round(row[2], 2) for row in found] == [1.0, 0.67, 0.5, 0.0]
    [lost] = (small / "store.log" / evaluations).glob("step-00000003-*")
    shutil.rmtree(lost)
    main(["--resume", "run", "--max_steps", "4", "--save_steps", "1"])
    assert (
        "the log lacks the evaluations at the steps 3, of 4 that were made: no figure has them"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("evaluations", "share", "best"),
    [
        ([(0.4, 0.20), (0.1, 0.19), (0.05, 0.17)], 0.9, 1),  # the safest recalls too little
        ([(0.4, 0.20), (0.1, 0.19), (0.05, 0.17)], 0.8, 2),
        ([(0.4, 0.20), (0.1, 0.19), (0.1, 0.21), (0.1, 0.21)], 0.9, 2),  # of equal ones the better, then the earlier
        ([(0.4, 0.20), (0.1, 0.1)], 0.9, 0),
        ([(0.0, 0.0), (0.0, 0.0)], 1.0, 0),
        ([(0.4, 0.20), (math.nan, 0.20)], 0.9, 0),  # no film listed: no violation rate
        ([(math.nan, 0.20), (0.4, 0.20)], 0.9, 1),
        ([(None, None), (0.4, 0.20)], 0.9, 0),  # as transformers keeps what nobody knows
        ([(None, 0.20), (0.4, 0.20), (0.1, None)], 0.9, 1),
        ([(0.4, 0.20), (0.1, 0.10)], 0.5, 1),  # at least: the share itself is enough
        ([(0.4, math.nan), (0.1, math.nan)], 0.9, 0),  # no recall to compare with: the first
    ],
)
def test_the_best_violates_least_of_those_that_recall_enough_of_the_first(evaluations, share, best):
    lines = [{"step": i, "eval_svr": svr, "eval_recall": recall} for i, (svr, recall) in enumerate(evaluations)]
    assert best_of(lines, share)["step"] == best


def test_a_model_that_lists_no_film_is_kept_as_the_best_so_far(small, small_flags, held_out, capsys):
    flags = ["--eval_strategy", "steps", "--eval_steps", "1", "--val_path", held_out, "--max_completion_length", "10"]
    main([*small_flags, *flags, "--keep_best", "0.9", "--output_dir", "run", "--max_steps", "1"])
    assert json.loads(Path("run/best/evaluation.json").read_text())["eval_films_per_list"] == 0
    assert "best: run/best, of step 0: no film is listed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("svr", "recall", "words"),
    [
        (0.125, 0.5, "SVR 12.5% (at most 25.0%), recall 0.500, 3.0 titles a list"),
        (0.125, None, "SVR 12.5% (at most 25.0%), recall unknown, 3.0 titles a list"),
        (None, None, "no film is listed"),
    ],
)
def test_the_closing_line_says_what_the_best_is_known_to_do(tmp_path, svr, recall, words):
    line = {"step": 4, "eval_svr": svr, "eval_svr_high": 0.25, "eval_recall": recall, "eval_films_per_list": 3.0}
    (tmp_path / "evaluation.json").write_text(json.dumps(line))
    assert kept(tmp_path) == f"best: {tmp_path}, of step 4: {words}"


@pytest.mark.parametrize(
    ("column", "said"),
    [("constraints", "no prompt has constraints"), ("groundtruth_with_release_year", "no prompt has ground truth")],
)
def test_prompts_that_say_nothing_of_what_is_best_are_refused(small, small_flags, held_out, column, said):
    rows = [json.loads(line) | {column: []} for line in Path(held_out).read_text().splitlines()]
    Path(held_out).write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(UserError, match=said):
        main([*small_flags, "--eval_strategy", "epoch", "--val_path", held_out, "--keep_best", "0.9", "--dry_run"])


def test_what_is_trained_on_is_not_held_out(small_flags, small):
    with pytest.raises(UserError, match="is what is trained on; name a file of held-out prompts"):
        main([*small_flags, "--eval_strategy", "epoch", "--val_path", f"{small}/data.jsonl"])


def test_the_flags_reach_trl():
    settings = TrainSettings(
        eval_strategy="steps", eval_steps=30, run_name="mine", max_prompt_length=1000, max_completion_length=500
    )
    config = trainer_config(settings, [1.0, 1.0], "unused")
    assert (config.eval_strategy.value, config.eval_steps, config.run_name) == ("steps", 30, "mine")
    assert (config.num_generations_eval, config.vllm_max_model_length) == (1, 1500)
    settings.trl = ["vllm_max_model_length=4000", "num_generations_eval=2"]
    config = trainer_config(settings, [1.0, 1.0], "unused")
    assert (config.num_generations_eval, config.vllm_max_model_length) == (2, 4000)


@pytest.mark.parametrize(
    "option", ["top_p=0.9", "top_k=20", "min_p=0.05", "repetition_penalty=1.2", 'generation_kwargs={"top_p": 0.9}']
)
def test_truncated_sampling_with_vllm_is_refused_however_it_is_asked_for(option):
    settings = TrainSettings(use_vllm=True, trl=[option])
    with pytest.raises(UserError, match=r"with vLLM: its log-probabilities.*vllm_importance_sampling_correction=False"):
        trainer_config(settings, [1.0, 1.0], "unused")
    settings.trl.append("vllm_importance_sampling_correction=false")
    assert trainer_config(settings, [1.0, 1.0], "unused").use_vllm
