"""The one error that a person can cause and can put right."""


class UserError(ValueError):
    """Bad input, told in one line: what happened, the offending value, what was expected, what to do.

    Command lines print it on stderr and exit with status 2; anything else is a fault of this project.
    """
