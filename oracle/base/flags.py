"""Flags of a command line whose faults are told as every other bad input is."""

import argparse
from typing import Any, NoReturn

from oracle.base.errors import UserError


class FlagParser(argparse.ArgumentParser):
    """argparse's parser, except that a flag that is wrong, missing or unknown is a `UserError` of one line."""

    def __init__(self, *arguments: Any, **named: Any):
        super().__init__(*arguments, **{"allow_abbrev": False, **named})

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help lists the flags")
