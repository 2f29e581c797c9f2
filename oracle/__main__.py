"""`python -m oracle`: see `oracle.cli.main`."""

import sys

from oracle.base.command import command


def run(argv: list[str]) -> None:
    from oracle.cli.main import run

    run(argv)


command(run, sys.argv[1:])
