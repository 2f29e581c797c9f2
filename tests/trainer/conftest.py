"""A real oracle of five films, and trainers that use it."""

from functools import partial

import pytest

from oracle import build_store, create_oracle
from oracle.annotate import Judge
from tests.trainer.drive import film_store, new_trainer


@pytest.fixture(scope="session")
def judge(tmp_path_factory) -> Judge:
    store = build_store(tmp_path_factory.mktemp("store") / "store.duckdb", **film_store())
    return Judge(create_oracle(store=store))


@pytest.fixture
def make_trainer(tmp_path, judge):
    """make_trainer(tokenizer, …): see `new_trainer`."""
    return partial(new_trainer, tmp_path, judge)
