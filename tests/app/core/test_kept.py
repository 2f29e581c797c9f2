"""Answers that people look at: within one limit for all of them, those that were looked at last."""

import pyarrow as pa
import pytest

from app.core.kept import OBJECTS, Answers
from app.core.query_pool import Answer
from oracle import UserError


def answer(numbers: int) -> Answer:
    table = pa.table({"a": pa.array(range(numbers), pa.int64())})
    return Answer(table, table, table, None)


def test_answers_that_nobody_looked_at_for_longest_go_where_all_take_too_much():
    answers = Answers(most=2 * OBJECTS + 8 * 250_000)
    first, second = answers.keep(answer(100_000)), answers.keep(answer(100_000))
    assert answers.get(first).rows.num_rows == 100_000
    third = answers.keep(answer(100_000))
    assert [answers.get(ticket).rows.num_rows for ticket in (first, third)] == [100_000, 100_000]
    with pytest.raises(UserError, match="kept no more: press Run again"):
        answers.get(second)


@pytest.mark.parametrize(("name", "most"), [("a", 2 * OBJECTS + 10_000), ("a" * 1_000_000, 5_000_000)])
def test_answers_of_hardly_a_row_take_memory_too(name, most):
    """What their columns are called, and the objects that hold them; be there ever so many of them."""
    answers = Answers(most)
    table = pa.table({name: pa.array([{name: 1}])})
    tickets = [answers.keep(Answer(table, table, table, None)) for _ in range(3)]
    with pytest.raises(UserError):
        answers.get(tickets[0])
    answers.drop(tickets[1])
    answers.keep(answer(1))
    assert answers.get(tickets[2]).rows.num_rows == 1


def test_the_newest_answer_is_kept_however_long_it_is():
    answers = Answers(most=10)
    ticket = answers.keep(answer(1000))
    assert answers.get(ticket).rows.num_rows == 1000


def test_an_answer_that_is_dropped_is_gone_and_another_stays():
    answers = Answers()
    one, other = answers.keep(answer(1)), answers.keep(answer(2))
    answers.drop(one)
    answers.drop(one)
    with pytest.raises(UserError):
        answers.get(one)
    assert answers.get(other).rows.num_rows == 2
