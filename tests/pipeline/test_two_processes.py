"""train.py in two processes that each have the model, or share it by FSDP or DeepSpeed, by the configurations we ship."""

import json
import math
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
import torch
from safetensors.torch import load_file

from pipeline.training.logs import EVALUATION_ID
from tests.trainer.sharded_cpu import KINDS, ROOT, launch


def train(kind: str, *flags: str) -> None:
    command, environment = launch(kind, str(ROOT / "pipeline" / "train.py"), *flags)
    environment["PYTHONPATH"] = f"{ROOT}:{environment.get('PYTHONPATH', '')}"
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("kind", ["two_gpus", *KINDS])
@pytest.mark.parametrize("adapter", [[], ["--use_lora", "--lora_r", "4"]], ids=["full weights", "LoRA"])
def test_stopped_and_resumed_equals_never_stopped(small_flags, small, kind, adapter):
    """The weights come out whole, or as an adapter alone; the log has each step of each process once."""
    flags = [*small_flags, *adapter, "--gradient_accumulation_steps", "1", "--gradient_checkpointing", "--lr", "1e-2"]
    flags += ["--lr_scheduler_type", "constant", "--kl_beta", "0.1", "--trl", "entropy_coef=0.1"]
    flags += ["--logging_steps", "3"]  # a line of steps before the stop and behind it
    evaluated = kind == "two_gpus" and not adapter
    run, name = Path("run"), "adapter_model.safetensors" if adapter else "model.safetensors"
    train(kind, *flags, *(three_held_out(small) if evaluated else []), "--output_dir", "run", "--max_steps", "3",
          "--save_steps", "2")  # fmt: skip
    whole, answered, metrics = load_file(run / "final" / name), answers(small), line_of_metrics(small)
    for later in ("checkpoint-3", "final"):  # as if it had been killed in its third step
        shutil.rmtree(run / later)
    train(kind, "--resume", "run")

    resumed = load_file(run / "final" / name)
    assert whole.keys() == resumed.keys()
    assert all(torch.allclose(whole[n], resumed[n], atol=1e-7) for n in whole)
    assert (run / "final" / "model.safetensors").exists() == (not adapter)
    if adapter:
        assert all("lora_" in n for n in whole) and any(w.any() for n, w in whole.items() if "lora_B" in n)
    else:
        untrained = load_file(small / "model" / name)
        assert whole.keys() - {"lm_head.weight"} == untrained.keys()
        assert torch.equal(whole.get("lm_head.weight", tied := whole["model.embed_tokens.weight"]), tied)
        assert not any(torch.equal(whole[n], untrained[n]) for n in untrained)
    assert answers(small) == answered
    assert line_of_metrics(small) == pytest.approx(metrics, abs=1e-5, nan_ok=True)
    assert [(step, n) for step, n, _ in answered] == [(step, n) for step in (1, 2, 3) for n in range(8)]
    if evaluated:
        logged = held_out_prompts(small)
        assert [n for n, _ in logged] == [0, 1, 2]  # in an order of TRL's own
        assert {prompt for _, prompt in logged} == {f"user: I liked film {n}. What else?" for n in range(3)}


def answers(small: Path) -> list[tuple]:
    """Of the run, by step and number."""
    with duckdb.connect(small / "store.duckdb", read_only=True) as store:
        return store.execute(
            "select step, completion, text from rollouts where run_id = ? order by all",
            [Path("run/run_id").read_text()],
        ).fetchall()


def line_of_metrics(small: Path) -> list[float]:
    """The only one of the run, in trackers and in the log, without what is of a process: times, and transformers' loss."""
    [line] = [
        line
        for line in json.loads(Path("run/checkpoint-3/trainer_state.json").read_text())["log_history"]
        if "svr" in line
    ]
    with duckdb.connect(small / "store.duckdb", read_only=True) as store:
        by_rank = store.execute(
            "select step, rank, lists, ratio, clip_ratio, kl from loss_by_rank where run_id = ? order by rank",
            [Path("run/run_id").read_text()],
        ).fetchall()
    assert by_rank[0][0] == 3
    told = [math.nan if v is None else v for k, v in sorted(line.items()) if k not in ("loss", "step_time")]
    return [*told, *(float(v) for row in by_rank for v in row)]


def three_held_out(small: Path) -> list[str]:
    """Flags for an evaluation behind the last step: of 3 prompts, so that the second process is given one twice."""
    Path("held_out.jsonl").write_text("".join((small / "data.jsonl").read_text().splitlines(keepends=True)[:3]))
    flags = ["--eval_strategy", "steps", "--eval_steps", "3", "--val_path", "held_out.jsonl"]
    return [*flags, "--per_device_eval_batch_size", "2"]


def held_out_prompts(small: Path) -> list[tuple]:
    with duckdb.connect(small / "store.duckdb", read_only=True) as store:
        return store.execute(
            "select completion, prompt from rollouts where run_id = ? order by completion",
            [Path("run", EVALUATION_ID).read_text()],
        ).fetchall()
