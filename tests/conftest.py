"""What tests of several folders share: a Ray cluster of two cores of this machine."""

import os
import tempfile
from collections.abc import Iterator

import pytest

# Metrics are compared with ranx: to compile it takes half a minute, and what it computes here no time.
os.environ["NUMBA_DISABLE_JIT"] = "1"


@pytest.fixture(scope="module")
def two_cores() -> Iterator[None]:
    """A cluster of two cores on this machine, which `cluster` finds there already."""
    ray = pytest.importorskip("ray", reason="needs pip install 'safe-rank-grpo[ray]'")
    before = dict(os.environ)
    # Without a token of its own, Ray writes one into the home folder; actors unpickle what this file defines.
    os.environ |= {
        "RAY_AUTH_TOKEN": "0" * 64,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, _temp_dir=folder,
                 log_to_driver=False, logging_level="ERROR")  # fmt: skip
        ray.data.DataContext.get_current().target_max_block_size = 2**14
        yield
        ray.shutdown()
    os.environ.clear()
    os.environ.update(before)
