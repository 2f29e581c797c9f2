"""How commands end: real processes that get Ctrl-C while they import and while they work; errors of the machine as advice."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from tqdm.auto import tqdm

from oracle import UserError
from oracle.base.advice import advice
from oracle.base.command import outcome, when_stopped
from oracle.log import LogWriter
from pipeline.cli import GROUPS
from tests.synthetic_log import SETTINGS

ROOT = Path(__file__).parents[1]
SAFE_RANK = ["-c", "from pipeline.cli import main; main()"]


def interrupted(folder: Path, arguments: list[str], at: str) -> tuple[int, list[str]]:
    """The exit code and the lines on stderr of a command that gets Ctrl-C once it has begun to import the module `at`."""
    line = [sys.executable, "-v", *arguments]  # -v tells each module on stderr
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        line,
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        errors="replace",
    )
    guard = threading.Timer(120, process.kill)
    guard.start()
    said, is_sent = [], False
    assert process.stderr
    for text in process.stderr:
        if not is_sent and re.match(rf"import '{at}'|# code object from '[^']*/{at.replace('.', '/')}/__init__", text):
            process.send_signal(signal.SIGINT)
            is_sent = True
        # The line may stand behind one of -v, which is written in two pieces: text, and end of line.
        elif found := re.search(
            r"stopped(;.*)?$|^(error|Traceback|\w*(Error|Interrupt)\b|Exception ignored).*", text.rstrip()
        ):
            said.append(found[0])
    guard.cancel()
    assert is_sent, f"{at} was never imported"
    return process.wait(), said


@pytest.mark.parametrize(
    ("arguments", "at", "said"),
    [
        ([f"{ROOT}/pipeline/train.py", "--dry_run"], "yaml", "nothing was begun, the same command begins again"),
        ([f"{ROOT}/pipeline/train.py", "--dry_run"], "numpy", "nothing was begun, the same command begins again"),
        ([f"{ROOT}/pipeline/train.py", "--dry_run"], "torch", "nothing was begun, the same command begins again"),
        ([f"{ROOT}/pipeline/prepare.py", "a.csv"], "duckdb", "the store is as it was, or whole; the same command goes on"),
        ([*SAFE_RANK, "evaluate", "--data", "d", "--answers", "a"], "pyarrow", "the answers so far are kept, and the same command goes on"),
        ([*SAFE_RANK, "app", "--store", f"{ROOT}/pyproject.toml"], "streamlit", "the log is as it was"),
        (["-m", "oracle", "check", "Saw"], "duckdb", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_ctrl_c_while_importing_is_one_line(tmp_path, arguments, at, said):
    assert interrupted(tmp_path, arguments, at) == (130, ["; ".join(filter(None, ["stopped", said]))])
    assert not [*tmp_path.iterdir()]


def test_an_app_that_can_listen_nowhere_says_so_in_one_line():
    command = [sys.executable, *SAFE_RANK, "app", "--store", f"{ROOT}/pyproject.toml", "--server.port", "65536"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert (
        done.stderr.splitlines()[-1].startswith("error: the app can't listen there") and "Traceback" not in done.stderr
    )


def test_an_app_without_docstrings_says_so_in_one_line():
    command = [sys.executable, "-OO", *SAFE_RANK, "app", "--store", f"{ROOT}/pyproject.toml"]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "without -OO" in done.stderr


def test_ctrl_c_while_a_query_runs_is_one_line(tmp_path):
    LogWriter(tmp_path / "store.log", SETTINGS).close()
    sql = "select 1 union all select sum(a.range * b.range) from range(10000000) a, range(10000000) b"
    line = [sys.executable, "-m", "oracle", "log", "query", "--sql", sql, "--store", f"{tmp_path}/store.duckdb"]
    process = subprocess.Popen(line, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    while sum(psutil.Process(process.pid).cpu_times()[:2]) < 2:  # all is imported, and it computes
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "stopped\n" and process.returncode == 130


NAP = "time.sleep(20)"
UNREAD = """
from oracle.base.command import go_on_unread
from oracle.base.errors import UserError
go_on_unread()
time.sleep(0.1)
for _ in range(999): print('x' * 99)
raise UserError('[Errno 1] all is done')"""
NOTHING_CAN_BE_IMPORTED = """
def find_spec(*given): raise MemoryError
sys.meta_path.insert(0, type("Finder", (), {"find_spec": staticmethod(find_spec)}))
raise MemoryError"""
AS_RICH_DOES = """
try:
    for _ in range(9999): print('x' * 99)
except BrokenPipeError:
    raise SystemExit(1)"""
AT_THE_END = """
class Held:
    def __del__(self): os.kill(os.getpid(), signal.SIGINT)
sys.modules["held"] = Held()"""
FINALISER = """
class Held:
    def __del__(self): os.kill(os.getpid(), signal.SIGINT); sum(range(10))
held = Held()
del held
time.sleep(20)"""


@pytest.mark.parametrize(
    ("work", "before", "code", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGTERM);" + NAP, "", 143, "stopped; all is as it was\n"),
        ("os.kill(os.getpid(), signal.SIGHUP);" + NAP, "", 129, "stopped; all is as it was\n"),
        ("os.kill(os.getpid(), signal.SIGHUP)", "trap '' HUP", 0, ""),
        ("os.kill(os.getpid(), signal.SIGTERM);" + NAP, "export RANK=0", -signal.SIGTERM, ""),
        ("os.kill(os.getpid(), signal.SIGTERM);" + NAP, "exec 2> /dev/full", 143, ""),
        ("raise OSError(28, 'No space left on device')", "exec 2> /dev/full", 2, ""),
        ("for _ in range(9999): print('x' * 99, flush=True)", "exec > >(head -c 1)", 0, ""),
        ("time.sleep(0.1); print('x')", "exec > >(true)", 0, ""),
        (UNREAD, "exec > >(true)", 2, "error: [Errno 1] all is done\n"),
        (UNREAD + " if print('x' * 99, file=sys.stderr) else SystemExit(7)", "exec > >(true) 2>&1", 7, ""),
        ("print('Amélie 漢')", "export PYTHONIOENCODING=ascii; exec > /dev/null", 0, ""),
        (
            "print('x')",
            "exec > /dev/full",
            2,
            "error: the disk is full ([Errno 28] No space left on device): free some space; all is as it was\n",
        ),
        (
            "",
            "cd $(mktemp -d); rmdir $PWD",
            2,
            "error: the folder in which this runs was removed: change to another one (cd), then try again\n",
        ),
        (
            NOTHING_CAN_BE_IMPORTED,
            "",
            2,
            "error: there is not enough memory: close other programs, or raise the limit (ulimit -v)\n",
        ),
        (AS_RICH_DOES, "exec > >(head -c 1)", 0, ""),
        (AT_THE_END, "", 0, ""),
        (FINALISER, "", 130, "stopped; all is as it was\n"),
        ("if open('/dev/zero').fileno() < 3: raise ValueError", "exec 0<&- 1>&- 2>&-", 0, ""),
        ("print('x', file=sys.stderr)", "exec 2>&-", 0, ""),
    ],
)
def test_a_command_ends_in_one_line_however_it_is_ended_and_wherever_its_output_goes(
    tmp_path, work, before, code, said
):
    script = tmp_path / "work.py"
    script.write_text(
        "import os, signal, sys, time\nfrom oracle.base.command import command, when_stopped\n"
        f"def main(argv):\n when_stopped('all is as it was')\n exec({work!r}, globals())\ncommand(main, [])"
    )
    done = subprocess.run(
        ["bash", "-c", f"{before or ':'}\nexec {sys.executable} {script}"],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}, capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # the tests themselves may run under nohup
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, said)


def test_what_libraries_make_of_ctrl_c_ends_as_ctrl_c(monkeypatch, capsys):
    def main(argv):
        when_stopped(lambda: "go on with --resume runs/x")
        monkeypatch.setattr("oracle.base.command._asked", signal.SIGINT)
        raise RuntimeError("Query interrupted")

    assert outcome(main, []) == 130
    assert capsys.readouterr().err == "stopped; go on with --resume runs/x\n"


@pytest.mark.parametrize(
    ("raised", "said"), [(KeyboardInterrupt, "stopped"), (UserError("no such film"), "error: no such film")]
)
def test_what_is_said_has_a_line_of_its_own_where_a_bar_was_being_drawn(capsys, raised, said):
    bars = []

    def main(argv):
        bars.append(tqdm(total=3))
        bars[0].update()
        raise raised

    outcome(main, [])
    assert capsys.readouterr().err.splitlines()[-1] == said


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


class UsageError(Exception):
    __module__ = "wandb.errors"


@pytest.mark.parametrize(
    ("error", "happened", "do"),
    [
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has …"), "not enough memory", "lower --batch_size"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried …"), "not enough memory", "--batch_size"),
        (MemoryError(), "not enough memory", "--batch_size"),
        (ImportError("libarrow.so: failed to map segment from shared object"), "not enough memory", "--batch_size"),
        (pa.ArrowMemoryError("malloc of size 64 failed"), "not enough memory", "--batch_size"),
        (RuntimeError("can't start new thread"), "no further thread or process may be started", "ulimit -u"),
        (OSError(28, "No space left on device"), "disk is full", "free some space"),
        (RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598"), "disk is full", "free"),
        (OSError("We couldn't connect to 'https://huggingface.co' to load the files"), "the hub, can't be reached", "a folder on this machine"),
        (OSError("You are trying to access a gated repo."), "does not give this out", "hf auth login"),
        (UsageError("No API key configured. Use `wandb login` to log in."), "knows nobody here", "WANDB_MODE=offline"),
        (OSError('IO Error: Could not set lock on file "s.duckdb": Conflicting lock is held in python3 (PID 7)'), "open for writing", "PID 7"),
        (PermissionError(13, "Permission denied", "/root/x"), "no permission", "folder of your own"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)  # fmt: skip
def test_errors_of_the_machine_are_told_as_advice(capsys, error, happened, do):
    def main(argv):
        when_stopped("go on with --resume runs/x", "--batch_size")
        raise RuntimeError("the trainer failed") from error

    assert outcome(main, []) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert happened in said and do in said and said.endswith("; go on with --resume runs/x\n")


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), KeyError("rank"), AssertionError()])
def test_a_fault_of_ours_keeps_its_traceback(error):
    def main(argv):
        raise error

    assert advice(error) is None
    with pytest.raises(type(error)):
        outcome(main, [])


def test_safe_rank_names_every_command_and_the_nearest_way_to_begin(tmp_path):
    def asked(*arguments: str) -> subprocess.CompletedProcess:
        line = [sys.executable, *SAFE_RANK, *arguments]
        return subprocess.run(
            line, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )

    helped = asked("--help")
    names = [name for group in GROUPS.values() for name in group]
    assert helped.returncode == 0 and all(re.search(rf"^  {name} +\w", helped.stdout, re.MULTILINE) for name in names)
    wrong = asked("trian")
    assert wrong.returncode == 2 and wrong.stderr == f"error: no command 'trian': there are {', '.join(names)}\n"
