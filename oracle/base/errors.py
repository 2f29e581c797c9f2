"""The one error that a person can cause and can put right, and what other errors say, in a line."""


class UserError(ValueError):
    """Bad input, told in one line: what happened, the offending value, what was expected, what to do.

    Command lines print it on stderr and exit with status 2; anything else is a fault of this project. Several faults that
    were found at once are told in a line each: `UserError(*lines)`. A line break within one of them is data, and stays in it.
    """

    def __init__(self, *lines: str):
        super().__init__("\n".join(map(str, lines)))
        self.lines = lines


class Busy(UserError):
    """Another process has what is asked for: it is well, and may be free later."""


def first_line(error: Exception) -> str:
    """What DuckDB said, without the picture of the statement; its kind where that is no text, of which Python may make nothing."""
    said = " ".join(line.strip() for line in str(error).split("\n\nLINE")[0].splitlines() if line.strip())
    return said or f"{type(error).__name__.removesuffix('Exception')} Error, in words that are no text"


def in_a_line(error: BaseException) -> str:
    """The first line that an error says, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
