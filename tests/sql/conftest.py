"""The log whose figures are worked out by hand."""

import pytest

from oracle.log import open_log
from tests.tiny_log import write_tiny_log


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    root = tmp_path_factory.mktemp("log") / "store.log"
    write_tiny_log(root)
    with open_log(root) as connection:
        yield connection
