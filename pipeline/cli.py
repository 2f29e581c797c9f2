"""`safe-rank`: every command under one name. What a command needs is imported when it is asked for."""

import sys

from oracle.base.command import command
from oracle.base.errors import UserError

GROUPS = {
    "what is known of films": {
        "check": "judge a film, or the films of a file",
        "explain": "show which films a title could mean",
        "traits": "list what can be avoided",
        "prepare": "read films, risks and conversations into a store and a dataset",
        "store": "bring a store of an older format up to date",
    },
    "models": {
        "sft": "teach a model to answer with a ranked list",
        "train": "train it with one reward and one advantage per rank; every verdict is logged",
        "evaluate": "compare models, or answers that any model gave",
    },
    "what happened": {
        "log": "list, query, merge, export, judge again or delete the runs of the log",
        "app": "open the audit app",
    },
}
SCRIPTS = ("prepare", "sft", "train", "evaluate", "app")


def main() -> None:
    """Run one command, and exit."""
    command(run, sys.argv[1:])


def run(argv: list[str]) -> None:
    """Run one command; `oracle.cli` knows those that are no script."""
    name, rest = (argv[0], argv[1:]) if argv else ("--help", [])
    if name in ("-h", "--help"):
        print(_help())
    elif name in SCRIPTS:
        from importlib import import_module

        import_module(f"pipeline.{name}").main(rest, f"safe-rank {name}")
    elif not name.startswith("-") and name not in (known := [n for group in GROUPS.values() for n in group]):
        raise UserError(f"no command {name!r}: there are {', '.join(known)}")
    else:
        from oracle.cli import run as run_of_oracle

        run_of_oracle(argv)


def _help() -> str:
    lines = [
        "usage: safe-rank COMMAND ...",
        "",
        "Recommenders that heed what people avoid: trained, compared, audited.",
    ]
    for group, commands in GROUPS.items():
        lines += ["", f"{group}:", *(f"  {name:10}{about}" for name, about in commands.items())]
    lines += ["", "safe-rank COMMAND --help tells more. Begin with:", '  safe-rank check "Saw" 2004 --avoid gore']
    return "\n".join(lines)


if __name__ == "__main__":
    main()
