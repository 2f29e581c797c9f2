"""What training needs, as small as can be: a store, 12 prompts and a model of 20 thousand parameters."""

import json
from pathlib import Path

import pytest

from oracle import create_oracle
from pipeline.simulation.tiny import make_model, make_tokenizer

ANSWER = "1. Alien (1979)\n2. Saw (2004)"


@pytest.fixture(scope="session")
def small(tmp_path_factory) -> Path:
    """A folder with store.duckdb, data.jsonl and model/."""
    folder = tmp_path_factory.mktemp("small")
    create_oracle(base_path=folder)
    prompts = [f"I liked film {n}. What else?" for n in range(12)]
    rows = [
        {"prompt": p, "completion": ANSWER, "groundtruth_with_release_year": [["Alien", 1979]], "seen_titles": []}
        | ({"constraints": ["gore"]} if n % 3 else {})
        for n, p in enumerate(prompts)
    ]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    tokenizer = make_tokenizer([*prompts, ANSWER], vocab_size=400)
    make_model(tokenizer, seed=0, hidden_size=16, layers=2).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder


@pytest.fixture
def small_flags(small, tmp_path, monkeypatch) -> list[str]:
    """Flags of train.py for it, in a folder of the test's own: 4 prompts a step, 2 answers each."""
    monkeypatch.chdir(tmp_path)
    return [
        "--train_path", f"{small}/data.jsonl", "--store", f"{small}/store.duckdb", "--model_name", f"{small}/model",
        "--num_generations", "2", "--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "2",
        "--max_completion_length", "6", "--rec_num", "3",
    ]  # fmt: skip
