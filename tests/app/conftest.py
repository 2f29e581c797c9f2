"""A store and a log of real films that all tests of the app share."""

from pathlib import Path

import pytest

from tests.app.sample_log import write_sample


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("app"), steps=6)
