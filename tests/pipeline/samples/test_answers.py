"""Answers that SFT imitates, on conversations small enough to rank by hand."""

from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from oracle import Oracle, create_oracle
from pipeline.samples.answers import LIST_LENGTH, full_answers

ALIEN, SAW, UP = {"title": "Alien", "year": 1979}, {"title": "Saw", "year": 2004}, {"title": "Up", "year": 2009}
UNKNOWN = {"title": "A Film of Nobody's", "year": 2020}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory) -> Oracle:
    return create_oracle(base_path=tmp_path_factory.mktemp("store"))


def test_films_named_together_with_the_seen_ones_follow_the_ground_truth(oracle):
    answers = full_answers(
        oracle,
        ["a", "b", "c", "mine"],
        seen=[[ALIEN, SAW], [ALIEN, UP], [ALIEN, UP], [ALIEN]],
        groundtruth=[[], [], [], [UNKNOWN]],
        is_train=[True] * 4,
    )
    # Of four conversations that name Alien, two name Up and one Saw.
    assert answers[3] == [UNKNOWN, UP, SAW]


def test_a_film_is_the_same_however_it_is_written(oracle):
    loud = {"title": "ALIEN", "year": 1979}
    answers = full_answers(oracle, ["a", "b"], [[loud, SAW], [ALIEN]], [[], []], [True, True])
    assert answers[1] == [SAW]


def test_nothing_is_learned_from_held_out_conversations(oracle):
    seen = [[ALIEN, SAW], [ALIEN, UP], [ALIEN]]
    answers = full_answers(oracle, ["heldout", "train", "asked"], seen, [[], [], []], [False, True, True])
    assert answers == [[UP], [], [UP]]


films = st.lists(st.integers(0, 30), max_size=6, unique=True)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(films, films, st.booleans()), min_size=1, max_size=8))
def test_no_answer_repeats_a_film_or_names_a_seen_one(oracle, samples):
    def named(numbers: list[int]) -> list[dict]:
        return [{"title": f"Invented Film {number}", "year": 2000} for number in numbers]

    seen = [named(s) for s, _, _ in samples]
    liked = [named([n for n in g if n not in s]) for s, g, _ in samples]
    answers = full_answers(oracle, [str(i) for i in range(len(samples))], seen, liked, [t for *_, t in samples])
    learned = {n for s, g, is_train in samples if is_train for n in (*s, *g)}
    for (sample_seen, _, _), groundtruth, answer in zip(samples, liked, answers, strict=True):
        titles = Counter(film["title"] for film in answer)
        assert not titles or max(titles.values()) == 1
        assert not titles.keys() & {film["title"] for film in named(sample_seen)}
        assert answer[: len(groundtruth)] == groundtruth
        own = {*sample_seen, *(int(film["title"].split()[-1]) for film in groundtruth)}
        assert len(answer) == (min(LIST_LENGTH, len(groundtruth) + len(learned - own)) if own else 0)
