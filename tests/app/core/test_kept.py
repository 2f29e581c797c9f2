"""Answers that people look at: within one limit for all of them, those that were looked at last."""

import pyarrow as pa
import pytest

from app.core.kept import Answers
from app.core.query_pool import Answer
from oracle import UserError


def answer(numbers: int) -> Answer:
    table = pa.table({"a": pa.array(range(numbers), pa.int64())})
    return Answer(table, table, table, None)


def test_answers_that_nobody_looked_at_for_longest_go_where_all_take_too_much():
    answers = Answers(most=8 * 250)
    first, second = answers.keep(answer(100)), answers.keep(answer(100))
    assert answers.get(first).rows.num_rows == 100
    third = answers.keep(answer(100))
    assert [answers.get(ticket).rows.num_rows for ticket in (first, third)] == [100, 100]
    with pytest.raises(UserError, match="kept no more: press Run again"):
        answers.get(second)


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
