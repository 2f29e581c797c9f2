"""A confined process can read what it was given, and write nothing: tried in real processes, with no DuckDB between."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFINED = """
import os, socket, sys, threading
from pathlib import Path
from app.core.confinement import confine
log, attempt = Path(sys.argv[1]), sys.argv[2]
if not confine([log]):
    sys.exit("no Landlock here")
def go():
    exec(attempt)
    print("done")
worker = threading.Thread(target=go)  # begun afterwards, as DuckDB's threads are
worker.start()
worker.join()
"""


def tried(log: Path, attempt: str) -> subprocess.CompletedProcess:
    done = subprocess.run([sys.executable, "-c", CONFINED, str(log), attempt], capture_output=True, text=True)
    if "no Landlock here" in done.stderr:
        pytest.skip("this kernel has no Landlock: only the size of written files is limited")
    return done


@pytest.fixture
def log(tmp_path) -> Path:
    (tmp_path / "store.log" / "run").mkdir(parents=True)
    (tmp_path / "store.log" / "run" / "verdicts.parquet").write_bytes(b"verdicts")
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "store.log"


def test_it_finds_modules_wherever_packages_lie(log, monkeypatch):
    """As in a user's own site-packages, which are no part of Python's folder; pyarrow imports much when it is first needed."""
    monkeypatch.setitem(globals(), "CONFINED", f"import sys; sys.prefix = '/nowhere'\n{CONFINED}")
    assert "done" in tried(log, "import pyarrow.dataset").stdout


def test_it_reads_the_log(log):
    assert "done" in tried(log, "assert next(log.rglob('*.parquet')).read_bytes() == b'verdicts'").stdout


@pytest.mark.parametrize(
    "attempt",
    [
        "(log / 'run' / 'verdicts.parquet').write_bytes(b'forged')",
        "open(log / 'run' / 'verdicts.parquet', 'r+b')",
        "os.truncate(log / 'run' / 'verdicts.parquet', 0)",
        "(log / 'run' / 'verdicts.parquet').unlink()",
        "(log / 'run' / 'verdicts.parquet').rename(log / 'run' / 'gone')",
        "(log / 'run' / 'new').touch()",
        "(log / 'new').mkdir()",
        "os.symlink('/etc/passwd', log / 'link')",
        "os.link(log / 'run' / 'verdicts.parquet', log / 'link')",
        "Path('/tmp/stolen-by-a-query').touch()",
        "(log.parent / 'secret').read_text()",
        "Path('/etc/passwd').read_text()",
        "Path('/proc/self/environ').read_text()",
        "os.listdir('/root')",
    ],
)
def test_it_can_do_nothing_else(log, attempt):
    done = tried(log, attempt)
    assert "PermissionError" in done.stderr and "done" not in done.stdout
    assert (log / "run" / "verdicts.parquet").read_bytes() == b"verdicts"
    assert [p.name for p in log.iterdir()] == ["run"] and not Path("/tmp/stolen-by-a-query").exists()


def test_it_connects_to_nobody(log):
    assert "PermissionError" in tried(log, "socket.create_connection(('127.0.0.1', 9))").stderr
