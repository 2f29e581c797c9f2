"""Flags of a command line whose faults are told as every other bad input is."""

import argparse
import math
from typing import Any, NoReturn

from oracle.base.errors import UserError

_MOST = {int: 2**32 - 1, float: 3.4e38}  # no flag means more, and no seed, count or tensor holds more


class FlagParser(argparse.ArgumentParser):
    """argparse's parser, except that a flag that is wrong, missing or unknown is a `UserError` of one line."""

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **{"allow_abbrev": False, **named})

    def parse_known_args(self, *arguments: Any, **named: Any) -> Any:
        parsed, unknown = super().parse_known_args(*arguments, **named)
        for name, given in vars(parsed).items():
            for value in given if isinstance(given, list) else [given]:
                if (most := _MOST.get(type(value))) and most < abs(value) < math.inf:
                    flag = next(
                        (a.option_strings[0] for a in self._actions if a.dest == name and a.option_strings), name
                    )
                    raise UserError(f"{flag} {value}: expected a number of at most {most}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help lists the flags")


def tag_name(text: str) -> str:
    """The type of a flag that names a tag: a text such as plan, for <plan>."""
    if not text.strip("<>[]/ "):
        raise argparse.ArgumentTypeError(f"{text!r} is no name; expected one such as plan for <plan> or [plan]")
    return text
