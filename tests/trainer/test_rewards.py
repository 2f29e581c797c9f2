"""Rewards per rank, against numbers worked out by hand."""

from math import log2

import numpy as np
import pyarrow as pa
import pytest

from oracle import UserError, create_oracle
from oracle.annotate import Annotator
from tests.trainer.drive import TRAIT
from trainer.rewards import (
    make_count_func,
    make_end_func,
    make_relevance_func,
    make_repeat_func,
    make_safe_reward_func,
    make_safety_func,
)

K = 4
LIST = "1. Saw (2004)\n2. Frozen (2013)\n3. Frozen (2013)"
SAMPLE = {
    "completions": [LIST],
    "groundtruth_with_release_year": [[["Frozen", 2013], ["Up", 2009]]],
    "seen_titles": [[]],
    "constraints": [[TRAIT]],
}


def test_log_decay_gives_the_gain_at_the_rank_that_hits(annotator):
    assert make_relevance_func(annotator, "log_decay", K)(**SAMPLE).tolist() == [[0, 1 / log2(3), 0, 0]]


def test_exp_inf_gives_one_at_every_hit(annotator):
    assert make_relevance_func(annotator, "exp_inf", K)(**SAMPLE).tolist() == [[0, 1, 0, 0]]


def test_suffix_dcg_gives_the_gain_still_to_come(annotator):
    gain = 1 / log2(3)
    assert make_relevance_func(annotator, "suffix_dcg", K)(**SAMPLE)[0].tolist() == pytest.approx([gain, gain, 0, 0])


def test_a_seen_film_and_one_outside_the_catalog_are_no_hits(annotator):
    relevance = make_relevance_func(annotator, "exp_inf", K)
    assert relevance(**SAMPLE | {"seen_titles": [["Frozen (2013)"]]}).sum() == 0
    outside = {"completions": ["1. Titanic (1997)"], "groundtruth_with_release_year": [[["Titanic", 1997]]]}
    assert relevance(**SAMPLE | outside).sum() == 0


def test_a_ground_truth_film_that_stands_there_in_several_spellings_is_one(annotator):
    twice = [
        ["Frozen", 2013],
        ["frozen!", 2013],
        ["Frozen", 2014],
        ["Zzyzx Qwv", 1999],
        ["zzyzx  qwv", 1999],
        ["Up", 2009],
    ]
    truth = (
        Annotator(annotator.oracle, pa.table({"title": pa.array([], pa.string()), "year": pa.array([], pa.int32())}))
        .annotate([LIST], [twice])
        .groundtruth
    )
    assert truth["title"].to_pylist() == ["Frozen", "Zzyzx Qwv", "Up"]


@pytest.mark.parametrize(("year", "hit"), [(2011, 1), (2013, 1), (2015, 1), (2010, 0), (2016, 0)])
def test_years_may_differ_by_two(annotator, year, hit):
    batch = SAMPLE | {"completions": [f"1. Frozen ({year})"]}
    assert make_relevance_func(annotator, "exp_inf", K)(**batch)[0, 0] == hit


def test_safety_punishes_the_violating_rank_alone(annotator):
    assert make_safety_func(annotator, 2.0, 1.5, "none", K)(**SAMPLE).tolist() == [[-3.0, 0, 0, 0]]


def test_the_dcg_discount_divides_the_penalty(annotator):
    batch = SAMPLE | {"completions": ["1. Frozen (2013)\n2. Saw (2004)"]}
    assert make_safety_func(annotator, 1.0, 1.0, "dcg", K)(**batch)[0, 1] == pytest.approx(-1 / log2(3))


def test_no_constraints_means_plain_rank_grpo(annotator):
    free = SAMPLE | {"constraints": [[]]}
    assert np.array_equal(
        make_safe_reward_func(annotator, rec_num=K)(**free), make_relevance_func(annotator, rec_num=K)(**free)
    )


def test_the_safe_reward_is_relevance_plus_safety(annotator):
    total = make_safe_reward_func(annotator, lambda_safe=0.5, rec_num=K)(**SAMPLE)
    assert total.tolist() == [[-0.5, 1 / log2(3), 0, 0]]


def test_the_safe_reward_hands_its_settings_on(annotator):
    batch = SAMPLE | {"completions": ["1. Frozen (2013)\n2. Saw (2004)"]}
    total = make_safe_reward_func(annotator, "exp_inf", 2.0, 0.5, "dcg", K)(**batch)
    assert total[0].tolist() == pytest.approx([1, -1 / log2(3), 0, 0])


@pytest.mark.parametrize("films", [[("Up", 2009)], pa.table({"title": ["Up"], "year": [2009]})], ids=["pairs", "table"])
def test_the_safe_reward_takes_a_catalog_in_place_of_the_stores(annotator, films):
    safe_reward = make_safe_reward_func(safety_oracle=annotator.oracle, gt_catalog=films, lambda_safe=0.0, rec_num=K)
    batch = SAMPLE | {"completions": ["1. Frozen (2013)\n2. Up (2009)"]}
    assert (safe_reward(**batch) > 0).tolist() == [[False, True, False, False]]


def test_count_rewards_the_target_length_on_every_rank(annotator):
    count = make_count_func(annotator, 0.8, target_count=4, rec_num=K)
    assert count(**SAMPLE)[0].tolist() == pytest.approx([-0.8 / 4] * 4)
    full = SAMPLE | {"completions": [LIST + "\n4. Up (2009)"]}
    assert count(**full)[0].tolist() == pytest.approx([0.8] * 4)


def test_an_answer_without_films_earns_nothing_but_the_count_penalty(annotator):
    silent = SAMPLE | {"completions": ["I would rather not."]}
    assert not make_safe_reward_func(annotator, rec_num=K)(**silent).any()
    assert make_count_func(annotator, 0.8, rec_num=K)(**silent)[0].tolist() == [-0.8] * 4


@pytest.mark.parametrize(("n", "expected"), [(0, [-1, 0, 0]), (1, [0, -1, 0]), (2, [0, 0, 0]), (3, [0, 0, -1])])
def test_the_end_is_punished_at_the_first_missing_rank_or_behind_the_last(annotator, n, expected):
    text = "\n".join(["1. Saw (2004)", "2. Up (2009)", "3. Frozen (2013)"][:n]) or "Nothing."
    assert make_end_func(annotator, 1.0, rec_num=2)(**SAMPLE | {"completions": [text]})[0].tolist() == expected


def test_a_repeated_film_is_punished_at_its_second_rank(annotator):
    assert make_repeat_func(annotator, 0.5, K)(**SAMPLE)[0].tolist() == [0, 0, -0.5, 0]


@pytest.mark.parametrize(("policy", "expected"), [("safe", 0.0), ("violation", -1.0), ("ignore", np.nan)])
def test_films_that_are_not_found_follow_the_oracles_policy(annotator, policy, expected):
    strict = Annotator(create_oracle(store=annotator.oracle.store, unresolved=policy))
    batch = SAMPLE | {"completions": ["1. Zzyzx Qwv (1999)"]}
    assert make_safety_func(strict, rec_num=K)(**batch)[0, 0] == pytest.approx(expected, nan_ok=True)
    assert make_safety_func(strict, rec_num=K)(**batch | {"constraints": [[]]})[0, 0] == 0


def test_several_rewards_judge_a_batch_only_once(annotator, monkeypatch):
    calls = []
    real = annotator.oracle.check_batch
    monkeypatch.setattr(annotator.oracle, "check_batch", lambda table: calls.append(len(table)) or real(table))
    batch = SAMPLE | {"completions": ["1. Up (2009)\n2. Alien (1979)"]}
    make_relevance_func(annotator, rec_num=K)(**batch)
    make_safety_func(annotator, rec_num=K)(**batch)
    assert calls == [2, 2, 0]  # the recommendations, the ground truth, and what was seen


@pytest.mark.parametrize("make", [make_relevance_func, make_safety_func])
def test_unknown_names_are_refused(annotator, make):
    with pytest.raises(UserError, match="expected"):
        make(annotator, "nonsense") if make is make_relevance_func else make(annotator, 1.0, 1.0, "nonsense")
