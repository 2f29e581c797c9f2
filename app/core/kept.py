"""The answers that people look at, of all sessions in one place, so that together they take no more than so much memory.

A session itself holds a ticket. A browser may leave many sessions behind, which Streamlit keeps for minutes.
"""

import uuid
from collections import OrderedDict
from threading import Lock

import streamlit as st

from app.core.query_pool import Answer
from oracle import UserError

TICKET = "answer"  # of the session: what was asked, and the ticket of its answer
MOST_BYTES = 600_000_000  # a few of the longest, thousands of the usual ones
OBJECTS = 50_000  # bytes of Python objects that an answer takes, however short it is


class Answers:
    """Answers by their tickets; those that were looked at last stay, within `most` bytes."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._answers: OrderedDict[str, tuple[Answer, int]] = OrderedDict()  # each with its bytes
        self._lock = Lock()

    def keep(self, answer: Answer) -> str:
        """Keep an answer, in place of those that nobody has looked at for longest. Returns its ticket."""
        ticket = uuid.uuid4().hex
        with self._lock:
            self._answers[ticket] = answer, _bytes(answer)
            total = sum(size for _, size in self._answers.values())
            while len(self._answers) > 1 and total > self._most:
                _, (_, size) = self._answers.popitem(last=False)
                total -= size
        return ticket

    def get(self, ticket: str) -> Answer:
        """Raises `UserError` where it is kept no more."""
        with self._lock:
            if ticket not in self._answers:
                raise UserError("this answer is kept no more: press Run again")
            self._answers.move_to_end(ticket)
            return self._answers[ticket][0]

    def drop(self, ticket: str) -> None:
        with self._lock:
            self._answers.pop(ticket, None)


@st.cache_resource(show_spinner=False)
def answers() -> Answers:
    return Answers()


def forget() -> None:
    """Let go of this session's answer."""
    if known := st.session_state.pop(TICKET, None):
        answers().drop(known[1])


def _bytes(answer: Answer) -> int:
    """What an answer takes: cells, and names, which stand in the schema and in the stream that the cells are a part of."""
    forms = {id(table): table for table in (answer.rows, answer.flat, answer.shown)}.values()  # two may be one
    return sum(table.nbytes + 2 * table.schema.serialize().size for table in forms) + OBJECTS
