"""`--eval_strategy`: held-out prompts are answered while training, and their rates are metrics."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from oracle import UserError
from pipeline.settings.fields import TrainSettings
from pipeline.settings.trl_config import trainer_config
from pipeline.train import main

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


def test_held_out_prompts_are_answered_at_the_steps_asked_for_and_the_last_and_not_logged(small, small_flags, held_out):
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
