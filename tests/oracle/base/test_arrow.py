"""Columns of Arrow: moments as text, also where the system has no list of time zones."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle.base.arrow import utc_as_text

WITHOUT_ZONES = (
    "unshare",
    "--mount",
    "--map-root-user",
    "sh",
    "-c",
    'mount -t tmpfs none /usr/share/zoneinfo && "$@"',
    "-",
)
NEEDS_ZONES = """
import sys
from pathlib import Path
from oracle.cli.main import main
from oracle.store.build import build_starter_store
from tests.tiny_log import write_tiny_log
store = build_starter_store(Path(sys.argv[1]) / "store.duckdb")
write_tiny_log(store.with_suffix(".log"))
for more in ([], ["--out", str(store.with_suffix(".csv"))]):
    assert not main(["log", "query", "--store", str(store), "--sql", "select loaded_at from sources", *more])
"""


@given(st.lists(st.none() | st.integers(-(2**35), 2**35), max_size=3), st.sampled_from(["s", "ms", "us", "ns"]))
def test_moments_of_utc_are_written_as_arrow_writes_them(moments, unit):
    column = pa.chunked_array([pa.array(moments, pa.timestamp(unit, "UTC"))])
    assert utc_as_text(column).equals(column.cast(pa.string()))


def test_a_run_is_logged_and_asked_about_where_the_system_has_no_list_of_time_zones(tmp_path):
    """As in a container that has little more than Python."""
    if subprocess.run([*WITHOUT_ZONES, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to put an empty folder over /usr/share/zoneinfo for one process")
    ended = subprocess.run(
        [*WITHOUT_ZONES, sys.executable, "-c", NEEDS_ZONES, str(tmp_path)], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    written = (tmp_path / "store.csv").read_text().splitlines()
    assert written[0] == '"loaded_at"' and written[1].endswith('Z"')
