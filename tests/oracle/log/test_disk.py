"""A full disk and a folder that can't be written: a clear line, and what was there stays."""

import errno
import fcntl
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pytest

from oracle import UserError
from oracle.log import LogWriter, compact, open_log, query
from tests.tiny_log import RUN, STEP_1, step_tables

ROOT = Path(__file__).parents[3]


def run(program: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_full_disk_stops_the_log_before_a_step_is_half_written(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_step(1, *step_tables(STEP_1))
    (message,) = run(
        """
        import resource, signal, sys
        from oracle import UserError
        from oracle.log import LogWriter
        from tests.tiny_log import STEP_1, step_tables
        writer = LogWriter.resume(sys.argv[1], sys.argv[2])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # no file above 2 kB, as on a full disk
        for step in (2, 1):  # a new step, and one that is there
            try:
                writer.write_step(step, *step_tables(STEP_1))
            except UserError as error:
                last = str(error)
        print(last)
        """,
        tmp_path,
        writer.run_id,
    )
    assert message.startswith(f"cannot log step 1 in {writer.folder} (the steps before it are safe): ")
    assert "free some space" in message
    names = [".lock", "manifest-00000000.parquet", "run.parquet", "step-00000001-e00000000-f2"]
    assert sorted(f.name for f in writer.folder.iterdir()) == names
    with open_log(tmp_path) as log:
        assert log.sql("select count(*) from verdicts").fetchall() == [(13,)]


def test_a_full_disk_leaves_a_log_as_it_was_when_it_is_merged(tmp_path):
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *step_tables(STEP_1))
    before = sorted(f.name for f in writer.folder.iterdir())
    (message,) = run(
        """
        import resource, signal, sys
        from oracle import UserError
        from oracle.log import compact
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            compact(sys.argv[1], sys.argv[2])
        except UserError as error:
            print(error)
        """,
        tmp_path,
        writer.run_id,
    )
    assert (
        message
        == f"cannot merge the steps of run {writer.run_id}: File too large; free some space or choose another folder"
    )
    assert sorted(f.name for f in writer.folder.iterdir()) == before


@pytest.mark.skipif(os.getuid() != 0 and not os.access("/", os.W_OK), reason="needs to give up rights")
def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/tmp") and folder != Path("/"):
            folder.chmod(0o755)
    with LogWriter(tmp_path / "store.log", RUN) as writer:
        writer.write_step(1, *step_tables(STEP_1))
    program = """
    import os, sys
    from oracle import UserError
    from oracle.log import LogWriter, open_log
    from tests.tiny_log import RUN
    open_log(sys.argv[1]).close()  # everything is imported while that is still allowed
    os.setuid(65534)  # nobody
    for attempt in (lambda: LogWriter(sys.argv[1], RUN), lambda: LogWriter.resume(sys.argv[1], sys.argv[2])):
        try:
            attempt()
        except UserError as error:
            print(error)
    with open_log(sys.argv[1]) as log:
        print(log.sql("select count(*) from verdicts").fetchall())
    """
    begin, resume, rows = run(program, tmp_path / "store.log", writer.run_id)
    assert begin.startswith(f"cannot begin a run in the log {tmp_path / 'store.log'}: Permission denied")
    assert resume.startswith(f"cannot write to run {writer.run_id}: Permission denied")
    assert rows == "[(13,)]"  # reading needs no right to write


def test_a_log_beside_a_file_of_its_name_is_told_plainly(tmp_path):
    (tmp_path / "store.log").write_text("something else")
    with pytest.raises(ValueError, match=r"cannot begin a run in the log .*store.log: File exists"):
        LogWriter(tmp_path / "store.log", RUN)


@pytest.mark.parametrize("name", ["completions.parquet", "verdicts.parquet", "rank_sums.parquet", ".loss.parquet.tmp"])
def test_a_disk_that_tells_only_at_the_end_that_it_is_full_loses_nothing(tmp_path, monkeypatch, name):
    """A network disk tells it when a file is put on disk, and tells only the file that was written."""
    with LogWriter(tmp_path, RUN) as writer:
        for step in (1, 2):
            writer.write_step(step, *step_tables(STEP_1))
        loss = pa.table({"rank": [1], "lists": [4], "ratio": [1.0], "clip_ratio": [0.0], "kl": [None]})
        writer.write_loss(1, loss)
    figures = ("from verdicts order by all", "from rank_sums order by all", "from loss_by_rank order by all")
    with open_log(tmp_path) as log:
        expected = [query(log, sql) for sql in figures]
        written, real = [], os.fsync

        def full(handle: int) -> None:
            path = Path(os.readlink(f"/proc/self/fd/{handle}"))
            is_written = fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
            if path.name == name and is_written:
                written.append(path)
                raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
            real(handle)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="free some space"):
            if name.startswith(".loss"):
                with LogWriter.resume(tmp_path, writer.run_id) as again:
                    again.write_loss(2, loss)
            else:
                compact(tmp_path, writer.run_id, grace_s=0)
        assert written
        assert [query(log, sql) for sql in figures] == expected
