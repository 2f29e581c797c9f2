"""What only a GPU shows. `make test-gpu` runs these tests; without a GPU they are skipped.

With GPU_TESTS_ON=cpu, what a CPU can do of them runs on it, on smaller shapes: so a test can be tried before a GPU is there.
"""

import os
from functools import partial

import pytest
import torch

from oracle import build_store, create_oracle
from oracle.annotate import Annotator
from tests.trainer.drive import film_store, new_trainer

TRIED_ON_CPU = os.environ.get("GPU_TESTS_ON") == "cpu"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "gpu":
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(scope="session")
def device() -> torch.device:
    """Where these tests compute."""
    if TRIED_ON_CPU:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU with CUDA")
    return torch.device("cuda")


@pytest.fixture
def cuda(device) -> torch.device:
    """For what a CPU can't do at all."""
    if device.type != "cuda":
        pytest.skip("needs a GPU with CUDA")
    return device


@pytest.fixture(scope="session")
def annotator(tmp_path_factory) -> Annotator:
    store = build_store(tmp_path_factory.mktemp("store") / "store.duckdb", **film_store())
    return Annotator(create_oracle(store=store))


@pytest.fixture
def make_trainer(tmp_path, annotator, device):
    """make_trainer(tokenizer, …): see `new_trainer`; on the device, unless told `use_cpu=True`."""

    def make(*args, use_cpu: bool = device.type == "cpu", **options):
        return partial(new_trainer, tmp_path, annotator)(*args, use_cpu=use_cpu, **options)

    return make
