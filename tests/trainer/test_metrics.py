"""What trackers receive of a step, by hand; and the warning when a policy evades."""

import logging
import math

import pytest
import torch
from accelerate import Accelerator
from transformers import TrainerCallback

from oracle import create_oracle
from oracle.annotate import Annotator
from oracle.log import evasion_rules
from tests.trainer.drive import SAFE, TRAIT, UNSAFE_AT_3, K, answer_with, scored, tiny_model
from tests.trainer.tokenizers import byte_level
from trainer.metrics import EvasionWatch, advantage_metrics, list_counts, list_metrics


def test_rates_are_those_of_the_top_k_counted_by_hand(annotator):
    judged = annotator.annotate(
        [
            "1. Saw (2004)\n2. Frozen (2013)\n3. Up (2009)\n4. Alien (1979)",  # asked: 1 of 3 unsafe, 2 not rated, the 4th is beyond K
            "1. Up (2009)\n2. Up (2009)\n3. Nowhere Film (1999)",  # nothing asked; a repeat, an unknown film
            "I would rather not.",
            "1. Alien (1979)\n2. The Thing (1982)\n3. Nowhere Film (1999)",  # asked: 1 of 3 unsafe, 1 not rated, 1 not found
        ],
        [
            [{"title": "Frozen", "year": 2013}, {"title": "The Thing", "year": 1982}],
            [],
            [{"title": "Up", "year": 2009}],
            [{"title": "Saw", "year": 2004}],
        ],
        None,
        [[TRAIT], [], [TRAIT], [TRAIT]],
    )
    assert list_metrics(list_counts(judged, 3, Accelerator(cpu=True))) == pytest.approx(
        {
            "svr": 2 / 6, "svr_low": 2 / 6, "svr_high": 6 / 6, "svr_known": 2 / 2, "unrated_rate": 3 / 6,
            "ambiguous_rate": 0, "unresolved_rate": 2 / 9,
            "duplicate_rate": 1 / 9, "hit_rate": 1 / 9, "films_per_list": (4 + 3 + 0 + 3) / 4,
            "count_k": 9 / 4, "overlong_rate": 1 / 4,
            "recall": (1 / 2) / 3, "ndcg": (1 / math.log2(3)) / (1 + 1 / math.log2(3)) / 3,
        }
    )  # fmt: skip


@pytest.mark.parametrize("unresolved", ["safe", "violation", "ignore"])
def test_the_bounds_of_the_violation_rate_do_not_depend_on_what_unknown_films_count_as(annotator, unresolved):
    own = Annotator(create_oracle(store=annotator.oracle.store, unresolved=unresolved))
    judged = own.annotate(["1. Saw (2004)\n2. Nowhere Film (1999)\n3. Up (2009)"], None, None, [[TRAIT]])
    found = list_metrics(list_counts(judged, 3, Accelerator(cpu=True)))
    assert found["svr"] == (2 / 3 if unresolved == "violation" else 1 / 3)
    assert (found["svr_low"], found["svr_high"]) == (1 / 3, 1)
    assert math.isnan(found["recall"]) and math.isnan(found["ndcg"])  # no ground truth


def test_without_a_constraint_there_is_no_violation_rate(annotator):
    assert math.isnan(list_metrics(list_counts(annotator.annotate([SAFE]), 3, Accelerator(cpu=True)))["svr"])


def test_spread_by_rank_and_groups_without_signal_by_hand():
    advantages = torch.tensor([[0.0, 1.0], [0.0, -1.0], [0.0, 0.0], [0.0, 0.0]])  # two groups of two
    found = advantage_metrics(advantages, group_size=2)
    assert found == pytest.approx(
        {"frac_groups_without_signal": 0.5, "advantage_std/rank_1": 0.0, "advantage_std/rank_2": (2 / 3) ** 0.5}
    )


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
def test_a_group_of_which_only_one_answer_has_a_reward_is_without_signal(make_trainer, mode):
    def reward(completions, **_):
        return [[1.0] * K, [math.nan] * K]

    trainer = make_trainer(byte_level(), [reward], advantage_mode=mode)
    out = scored(trainer, [SAFE, UNSAFE_AT_3])
    assert (out["advantages"] == 0).all()
    assert trainer._metrics["train"]["frac_groups_without_signal"] == [1.0]


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
def test_a_group_whose_rewards_are_equal_but_for_rounding_is_without_signal(make_trainer, mode):
    rewards = [0.1 * 3, 0.3, 1.0, 0.0]
    assert rewards[0] != rewards[1]
    trainer = make_trainer(byte_level(), [lambda completions, **_: [[r] * K for r in rewards]], advantage_mode=mode)
    scored(trainer, [SAFE] * 4)
    assert trainer._metrics["train"]["frac_groups_without_signal"] == [0.5]


def test_an_evaluated_answer_without_a_reward_has_no_advantage(make_trainer):
    trainer = make_trainer(byte_level(), [lambda completions, **_: [[math.nan] * K]], num_generations_eval=1)
    answer_with(trainer, [SAFE])
    trainer.model.eval()
    assert (trainer._generate_and_score_completions([trainer.train_dataset[0]])["advantages"] == 0).all()


class Tracker(TrainerCallback):
    """Receives what wandb, trackio and TensorBoard do."""

    def __init__(self):
        self.received: list[dict] = []

    def on_log(self, args, state, control, logs=None, **_):
        self.received.append(dict(logs))


def test_trackers_receive_every_metric_of_a_step(make_trainer, tmp_path):
    tiny_model().save_pretrained(tmp_path / "model")
    model = tiny_model()
    model.config._name_or_path = str(tmp_path / "model")
    trainer, tracker = make_trainer(byte_level(), model=model, beta=0.1, num_iterations=2), Tracker()
    trainer.add_callback(tracker)
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    trainer.train()
    first, second, _ = tracker.received
    assert first["rewards/relevance/mean"] == pytest.approx(1 / math.log2(3)) and first["rewards/relevance/std"] == 0
    assert first["rewards/safety/mean"] == -0.5 and first["rewards/safety/std"] == pytest.approx(0.5**0.5)
    assert first["svr"] == pytest.approx(1 / 6) and first["unresolved_rate"] == 0 and first["films_per_list"] == 3
    assert first["duplicate_rate"] == 0 and first["hit_rate"] == pytest.approx(1 / 3)
    assert first["advantage_std/rank_1"] == 0 and first["advantage_std/rank_3"] == pytest.approx(1.0, abs=1e-3)
    assert first["frac_groups_without_signal"] == 0
    assert first["kl"] == pytest.approx(0, abs=1e-6) and second["kl"] > 0
    assert first["entropy"] > 1
    assert {"clip_ratio/low_mean", "clip_ratio/high_mean", "clip_ratio/region_mean"} <= second.keys()


def test_rates_of_several_steps_are_those_of_all_their_recommendations(make_trainer):
    """A step of 6 and one of 3 films, of which 1 and 2 are unsafe: 3 of 9, not the mean of 1/6 and 2/3."""
    trainer, tracker = make_trainer(byte_level(), logging_steps=2), Tracker()
    trainer.add_callback(tracker)
    answer_with(trainer, [SAFE, UNSAFE_AT_3], ["1. Saw (2004)\n2. Alien (1979)", "1. Up (2009)"])
    trainer.train()
    assert tracker.received[0]["svr"] == pytest.approx(3 / 9)
    assert tracker.received[0]["films_per_list"] == pytest.approx(9 / 4)


BEFORE = {
    "unsafe": 600, "asked": 2000, "listed": 2000, "films": 2000, "lists": 100, "repeated": 200, "unresolved": 100, "hits": 9, "unrated": 100, "ambiguous": 0,
    "violating": 600, "unknown": 0, "overlong": 0, "with_truth": 100, "recall": 9.0, "ndcg": 9.0,
}  # fmt: skip


def warnings_of(after: dict, steps: int = 40) -> list[str]:
    watch = EvasionWatch()
    told = [watch.update(BEFORE) for _ in range(evasion_rules()[0])]
    told += [watch.update(BEFORE | after) for _ in range(steps)]
    return [warning for warnings in told for warning in warnings]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({"lists": 180}, "lists got shorter (count_k from 20 to 11.1)"),
        ({"repeated": 600}, "titles are repeated more often (duplicate_rate from 0.1 to 0.3)"),
        ({"unresolved": 400}, "more titles cannot be found (unresolved_rate from 0.05 to 0.2)"),
        ({"overlong": 20}, "more lists go on beyond the last rank (overlong_rate from 0 to 0.2)"),
        ({"recall": 6.0}, "recall dropped (recall from 0.09 to 0.06)"),
        ({"unsafe": 0, "asked": 0, "listed": 0}, "lists got shorter (count_k from 20 to 0)"),
        ({"unrated": 400}, "more titles are not rated (unrated_rate from 0.05 to 0.2)"),
    ],
)
def test_a_policy_that_evades_is_named_once_in_words(after, words, caplog):
    with caplog.at_level(logging.WARNING):
        (warning,) = warnings_of({"unsafe": 200} | after)
    assert words in warning and "evading" in warning
    assert [record.message for record in caplog.records] == [warning]


@pytest.mark.parametrize(
    "after",
    [
        {"unsafe": 200},
        {"unsafe": 700, "lists": 180},
        {"unsafe": 0, "asked": 0, "lists": 180},
        {"unsafe": 200, "lists": 105, "repeated": 240},
    ],
)
def test_a_policy_that_does_not_evade_raises_no_warning(after):
    assert warnings_of(after) == []


def test_overlong_lists_that_shrink_to_k_evade_nothing():
    watch = EvasionWatch()
    steps = [BEFORE | {"films": 2500}] * evasion_rules()[0] + [BEFORE | {"unsafe": 200}] * 40
    assert [warning for counts in steps for warning in watch.update(counts)] == []


def test_a_few_steps_are_no_trend():
    assert warnings_of({"unsafe": 200, "lists": 180}, steps=evasion_rules()[0] - 1) == []


def test_the_first_steps_of_an_earlier_version_say_nothing_of_metrics_that_it_did_not_keep():
    """A checkpoint of another version is resumed: what both keep is still watched."""
    steps, _ = evasion_rules()
    watch = EvasionWatch(first=[{"svr": 0.3, "duplicate_rate": 0.1, "films": 20.0}] * steps)
    after = BEFORE | {"unsafe": 200, "lists": 180, "repeated": 600}
    (warning,) = [told for _ in range(steps) for told in watch.update(after)]
    assert "titles are repeated more often" in warning
