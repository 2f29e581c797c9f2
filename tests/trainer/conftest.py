"""A real oracle of five films, and trainers that use it."""

from functools import partial

import pytest
from trl.trainer import grpo_trainer

from oracle import build_store, create_oracle
from oracle.annotate import Annotator
from tests.trainer.drive import film_store, new_trainer
from tests.trainer.engine import Engine
from tests.trainer.tokenizers import byte_level
from trainer import rank_grpo_trainer


@pytest.fixture(scope="session")
def annotator(tmp_path_factory) -> Annotator:
    store = build_store(tmp_path_factory.mktemp("store") / "store.duckdb", **film_store())
    return Annotator(create_oracle(store=store))


@pytest.fixture
def make_trainer(tmp_path, annotator):
    """make_trainer(tokenizer, …): see `new_trainer`."""
    return partial(new_trainer, tmp_path, annotator)


@pytest.fixture
def make_vllm_trainer(make_trainer, monkeypatch):
    monkeypatch.setattr(grpo_trainer, "VLLMGeneration", Engine)
    monkeypatch.setattr(rank_grpo_trainer, "sync_without_rounding", lambda engine: None)

    def make(**options):
        return make_trainer(byte_level(), **{"use_vllm": True, "vllm_mode": "colocate"} | options)

    return make
