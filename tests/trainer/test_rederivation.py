"""What the trainer logs is what SQL derives again from the log alone, whatever is on and off."""

import json

import numpy as np
import pytest

from oracle import create_oracle
from oracle.annotate import Annotator
from oracle.log import LogWriter, open_log
from tests.trainer.drive import CUT, G, K, answer_with
from tests.trainer.tokenizers import byte_level
from trainer.rewards import make_count_func, make_end_func, make_relevance_func, make_repeat_func, make_safety_func

ANSWERS = [
    ["1. Up (2009)\n2. Nowhere Film (1999)\n3. Saw (2004)\n4. Frozen (2013)", "1. Saw (2004)\n2. Frozen (2013)"],
    ["1. Nowhere Film (1999)\n2. Frozen (2013)\n3. Frozen (2013)", "No films today."],
    # Cut off in the middle of a title: within the list, and behind it.
    ["1. Frozen (2013)\n2. Saw" + CUT, "1. Up (2009)\n2. Frozen (2013)\n3. Saw (2004)"],
    ["1. Frozen (2013)\n2. Up\n3. Saw (2004)\n4. Saw" + CUT, "1. Alien (1979)" + CUT],
]
MORE = {
    "none": {}, "repeat": {"repeat": 0.5}, "count and end": {"count": 0.7, "end": 1.0},
    "all": {"repeat": 0.5, "count": 0.7, "end": 1.0},
}  # fmt: skip


# Each value of a setting meets each value of every other one.
SETTINGS = [
    (more, unresolved, ("grpo", "gdpo")[(i + j) % 2], ("zero", "leave_out")[(i // 2 + j) % 2])
    for i, more in enumerate(MORE)
    for j, unresolved in enumerate(["safe", "violation", "ignore"])
]


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
def test_an_own_reward_of_the_end_of_a_list_follows_from_the_log(make_trainer, annotator, tmp_path, mode):
    def is_long(batch) -> np.ndarray:  # (N, K + 1)
        n = np.bincount(batch.entries["completion"].to_numpy(), minlength=len(batch.texts))
        return np.pad((n > K)[:, None] * 1.0, ((0, 0), (K, 0)))

    functions = [make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K), is_long]
    run = {"kind": "train", "rec_num": K, "num_generations": G, "advantage_mode": mode, "own_weights": {"is_long": 1.0}}
    with LogWriter(tmp_path / "store.log", run | {"settings": json.dumps({"end_credit": True})}) as log:
        trainer = make_trainer(byte_level(), functions, log, advantage_mode=mode, end_credit=True, max_steps=4)
        answer_with(trainer, *ANSWERS)
        trainer.train()
    with open_log(tmp_path / "store.log") as connection:
        rows = "select count(*), max(abs(advantage)), count(*) filter (differs) from rederivation where rank = $1"
        [(count, largest, differing)] = connection.execute(rows, [K + 1]).fetchall()
        assert count == 4 * G and largest > 0.1 and differing == 0


def test_rewards_that_weigh_each_other_up_leave_nothing_that_the_log_does_not_know(make_trainer, annotator, tmp_path):
    """Every other answer earns 1 with the weight 1, and -10 with the weight 0.1, which is no number of float32."""

    def pleasant(completions, **_) -> np.ndarray:
        return np.array([[i % 2] * K for i in range(len(completions))], dtype=float)

    def dull(completions, **_) -> np.ndarray:
        return -10 * pleasant(completions)

    functions = [make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K), pleasant, dull]
    run = {"kind": "train", "rec_num": K, "num_generations": G, "own_weights": {"pleasant": 1.0, "dull": 0.1}}
    with LogWriter(tmp_path / "store.log", run | {"advantage_mode": "grpo"}) as log:
        weights = [1.0, 1.0, 1.0, 0.1]
        trainer = make_trainer(byte_level(), functions, log, advantage_mode="grpo", reward_weights=weights, max_steps=2)
        answer_with(trainer, *ANSWERS)
        trainer.train()
    with open_log(tmp_path / "store.log") as connection:
        rows = "select count(*), count(*) filter (differs) from rederivation where len(own) = 2"
        [(count, differing)] = connection.sql(rows).fetchall()
    assert count > G * K and differing == 0


@pytest.mark.parametrize(("more", "unresolved", "mode", "missing"), SETTINGS)
def test_every_reward_and_advantage_follows_from_the_log(
    make_trainer, annotator, tmp_path, more, unresolved, mode, missing
):
    more = MORE[more]
    own = Annotator(create_oracle(store=annotator.oracle.store, unresolved=unresolved))
    optional = {"count": lambda x: make_count_func(own, x, rec_num=K), "end": lambda x: make_end_func(own, x, K),
                "repeat": lambda x: make_repeat_func(own, x, K)}  # fmt: skip
    functions = [make_relevance_func(own, rec_num=K), make_safety_func(own, 2.0, rec_num=K)]
    functions += [make(more[name]) for name, make in optional.items() if name in more]
    weights = [1.0, 2.0, *[0.5] * len(more)]
    run = {
        "kind": "train", "rec_num": K, "num_generations": G, "advantage_mode": mode, "unresolved": unresolved, "lambda_safe": 2.0,
        "w_rel": 1.0, "w_safe": 2.0, **{f"w_{name}": 0.5 if name in more else 0.0 for name in optional},
        **{f"lambda_{name}": more.get(name, 0.0) for name in optional}, "target_count": K, "settings": json.dumps({"missing_ranks": missing}),
    }  # fmt: skip
    log = LogWriter(tmp_path / "store.log", run)
    trainer = make_trainer(
        byte_level(), functions, log, advantage_mode=mode, reward_weights=weights, end_credit="end" in more, max_steps=4,
        missing_ranks=missing,
    )  # fmt: skip
    answer_with(trainer, *ANSWERS)
    trainer.train()
    log.close()
    with open_log(tmp_path / "store.log") as connection:
        rows = "select count(*), count(*) filter (differs), max(abs(advantage)) from rederivation"
        [(count, differing, largest)] = connection.sql(rows).fetchall()
        assert count >= 4 * G * K and largest > 0.1
        [(cut_off, rewarded)] = connection.sql(
            "select count(*), count(r_total) from verdicts where title is null and start is not null"
        ).fetchall()
        assert (cut_off, rewarded) == (1 + ("end" in more), 0)
        assert differing == 0, connection.sql("from rederivation where differs").to_arrow_table().to_pylist()[:2]
