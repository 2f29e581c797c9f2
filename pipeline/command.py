"""How every command ends: a clear line and exit code 2 for bad input, 130 for Ctrl-C."""

import sys
import warnings
from collections.abc import Callable, Sequence

from oracle import UserError


def command(main: Callable[[list[str]], None], argv: Sequence[str]) -> None:
    """Run `main(argv)` and exit."""
    # What transformers renames concerns its callers, TRL and PEFT, and nobody who runs a command.
    warnings.filterwarnings("ignore", ".*gradient_checkpointing.*", FutureWarning)
    try:
        main(list(argv))
    except UserError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; finished steps are in the log, and checkpoints can be resumed", file=sys.stderr)
        sys.exit(130)
