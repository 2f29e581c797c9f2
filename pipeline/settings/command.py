"""How every command ends: a clear line and exit code 2 for bad input, 130 for Ctrl-C."""

import sys
import warnings
from collections.abc import Callable, Sequence

from oracle.base.errors import UserError
from oracle.base.printable import one_line


def command(main: Callable[[list[str]], None], argv: Sequence[str], when_stopped: str = "") -> None:
    """Run `main(argv)` and exit; `when_stopped` is what Ctrl-C leaves behind."""
    # What transformers renames concerns its callers, TRL and PEFT, and nobody who runs a command.
    warnings.filterwarnings("ignore", ".*gradient_checkpointing.*", FutureWarning)
    try:
        main(list(argv))
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {one_line(line)}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, RuntimeError) as error:
        if not isinstance(error, KeyboardInterrupt) and str(error) != "Query interrupted":  # DuckDB's word for it
            raise
        print(f"stopped{when_stopped}", file=sys.stderr)
        sys.exit(130)
