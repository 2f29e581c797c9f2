"""Commands as pages write them: split into words, and the flags that each of our programs knows."""

import contextlib
import importlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pipeline.cli import SCRIPTS
from tests.docs.pages import REPOSITORY

FOREIGN = (
    "pip",
    "pytest",
    "export",
    "cd",
    "source",
    "curl",
    "docker",
    "nginx",
    "pip-audit",
    "lint-imports",
    "ruff",
    "mypy",
)
"""Programs of others, whose flags are not ours to check."""
_LAUNCHERS = ("accelerate", "torchrun", "taskset", "streamlit", "nice", "python", "python3")
_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]*")


@dataclass(frozen=True)
class Command:
    """A command: which of our programs it calls (None: one of others), and with which words."""

    program: str | None
    words: tuple[str, ...]
    whole: str

    @property
    def flags(self) -> list[str]:
        return [word.split("=")[0] for word in self.words if word.startswith("--") and word != "--"]


def commands(text: str) -> Iterator[Command]:
    """The commands of a shell block. Lines that end with a backslash go on; what follows " #" is a comment."""
    for line in text.replace("\\\n", " ").splitlines():
        if words := shlex.split(line.removeprefix("$ "), comments=True):
            yield _command(words, line)


def _command(words: list[str], line: str) -> Command:
    at = 0
    while at < len(words):
        word = words[at]
        name = word.rsplit("/", 1)[-1]
        if word.endswith(".py"):
            script = word.removeprefix("./")
            rest = words[at + 1 :]
            if script == "app/main.py":  # Streamlit's own flags come first
                rest = rest[rest.index("--") + 1 :] if "--" in rest else []
            return Command(script, tuple(rest), line)
        if (
            word == "-m"
            and at + 1 < len(words)
            and words[at + 1].split(".")[0] in ("oracle", "tests", "pipeline", "app")
        ):
            return Command(words[at + 1], tuple(words[at + 2 :]), line)
        if name == "safe-rank":
            verb, rest = next(iter(words[at + 1 :]), ""), tuple(words[at + 2 :])
            is_script = verb in SCRIPTS
            return Command(f"pipeline/{verb}.py", rest, line) if is_script else Command("oracle", (verb, *rest), line)
        if name == "make":
            return Command("make", tuple(words[at + 1 :]), line)
        if at == 0 and (name in FOREIGN or (name not in _LAUNCHERS and "=" not in word)):
            return Command(None, tuple(words), line)
        at += 1
    return Command(None, tuple(words), line)


def known_flags(command: Command) -> set[str]:
    """The flags that the program of a command knows, by its --help (or its source, for benchmarks)."""
    assert command.program
    if command.program == "oracle":
        return _oracle_flags(tuple(word for word in command.words[:2] if re.fullmatch("[a-z]+", word)))
    return _flags(command.program)


@cache
def _flags(program: str) -> set[str]:
    if program.startswith(("tests.", "tests/")):
        source = REPOSITORY / (program if program.endswith(".py") else program.replace(".", "/") + ".py")
        # bench_step hands on the flags of train.py.
        more = _flags("pipeline/train.py") if "bench_step" in program else set()
        return set(_FLAG.findall(source.read_text(encoding="utf-8"))) | more
    if program == "app/main.py":  # it serves, and hands its flags on to the script of the pages
        program = "app/script.py"
    return _of_help(program.removesuffix(".py").replace("/", "."), ["--help"])


@cache
def _oracle_flags(verbs: tuple[str, ...]) -> set[str]:
    for words in (verbs, verbs[:1]):
        if flags := _of_help("oracle.cli.main", [*words, "--help"]):
            return flags
    return set()


def _of_help(module: str, argv: list[str]) -> set[str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        importlib.import_module(module).main(argv)
    return set(_FLAG.findall(said.getvalue()))


@cache
def all_flags() -> frozenset[str]:
    """Every flag of every command of ours."""
    scripts = [f"pipeline/{name}.py" for name in (*SCRIPTS, "demo")]
    verbs = [
        ("check",),
        ("explain",),
        ("log", "list"),
        ("log", "query"),
        ("log", "compact"),
        ("log", "export"),
        ("log", "delete"),
        ("log", "rejudge"),
        ("store", "update"),
    ]
    known = [_flags(script) for script in [*scripts, "app/main.py"]] + [_oracle_flags(verb) for verb in verbs]
    benchmarks = [
        _flags(f"tests/benchmarks/{path.name}") for path in (REPOSITORY / "tests/benchmarks").glob("bench_*.py")
    ]
    return frozenset().union(*known, *benchmarks, streamlit_flags())


@cache
def streamlit_flags() -> frozenset[str]:
    from streamlit import config

    return frozenset(f"--{option}" for option in config.get_config_options())
