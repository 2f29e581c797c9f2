"""What a page shows when there is nothing to show: each says why, and what to do next."""

from collections.abc import Callable

from app.components import markup
from oracle import UserError
from oracle.base.advice import advice, is_shortage


def problem(error: Exception) -> None:
    """Something that a person can put right."""
    what, _, rest = str(error).partition(": ")
    _card("error", "This cannot be shown", what, rest)


def or_problem(show: Callable, *args: object, tell: Callable[[UserError], None] = problem) -> None:
    """Call `show`; what a person can put right is told in place of what it would have shown, as is what the system refuses.

    A callback is run before there is a page: there, `tell` keeps what the page is to show.
    """
    try:
        show(*args)
    except UserError as error:
        tell(error)
    except OSError as error:
        tell(UserError(f"{error.filename or 'the system'}: {error.strerror or error}"))
    except Exception as error:  # of any library
        if not is_shortage(error):
            raise
        tell(UserError(str(advice(error))))


def refused(error: Exception) -> None:
    """A query that was not run, or failed."""
    _card("error", "This query was not answered", str(error))


def left_out(told: str) -> None:
    """Parts of the log that no page shows."""
    _card("error", "Some of the log is left out", told)


def no_runs() -> None:
    text = "This store is ready, and nothing was trained or evaluated with it so far. Runs appear here by themselves."
    _card("empty", "No run yet", text, "python pipeline/train.py", code=True)


def no_step() -> None:
    _card("empty", "This run has no finished step yet", "It appears here as soon as the first one is written.")


def nothing(what: str, hint: str = "") -> None:
    """An empty answer to a question."""
    _card("empty", what, hint)


def _card(kind: str, title: str, text: str, hint: str = "", code: bool = False) -> None:
    markup.show("state", kind, title, text, hint, code)
