"""A store and a log of real films that all tests of the app share."""

import shutil
from pathlib import Path

import pytest

from oracle.store.build import build_starter_store
from tests.app.sample_log import ask, write_sample


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("app"), steps=6)


@pytest.fixture(scope="session")
def starter_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_starter_store(tmp_path_factory.mktemp("starter") / "store.duckdb")


@pytest.fixture
def empty_store(starter_store: Path, tmp_path: Path) -> Path:
    """One of its own for each test, without a run."""
    return Path(shutil.copy(starter_store, tmp_path))


@pytest.fixture(scope="module")
def run(store: Path) -> str:
    """The newest training run."""
    return ask(store, "from runs where kind = 'train' order by started_at desc limit 1")[0]["run_id"]
