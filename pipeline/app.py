"""The audit app, in the browser: pages over a store and its log.

    safe-rank app --store demo/store.duckdb
    safe-rank app --store demo/store.duckdb --server.port 8502 --server.address 0.0.0.0   # for others on the network too

Flags that are not listed here are Streamlit's (streamlit run --help lists them).
"""

import argparse
import socket
import sys
from pathlib import Path

from oracle.base.command import when_stopped
from oracle.base.errors import UserError
from oracle.base.flags import FlagParser


def main(argv: list[str], prog: str = "app.py") -> None:
    parser = FlagParser(prog=prog, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="store.duckdb", help="the store whose log to show (%(default)s)")
    args, streamlits = parser.parse_known_args(argv)
    if not Path(args.store).is_file():
        raise UserError(f"--store {args.store}: no such file; build a store with {prog.split()[0]} prepare")
    if sys.flags.optimize > 1:
        raise UserError("the charts' library, altair, needs its docstrings: start without -OO and PYTHONOPTIMIZE=2")
    when_stopped("the log is as it was")
    from click import ClickException
    from streamlit.web.cli import main as streamlit  # slow to import: behind --help

    script = str(Path(__file__).parents[1] / "app" / "main.py")
    try:
        streamlit(["run", script, *streamlits, "--", "--store", args.store], standalone_mode=False)
    except ClickException as error:
        raise UserError(f"{error.format_message()}; streamlit run --help lists its flags") from None
    except (OverflowError, socket.gaierror) as error:
        raise UserError(f"the app can't listen there ({error}): look at --server.address and --server.port") from None
    raise KeyboardInterrupt  # it ends by itself in no other way
