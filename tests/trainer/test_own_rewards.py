"""Rewards that are somebody's own: trained on, logged by name, told by `why`, judged again by their weight."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle import UserError
from oracle.log import LogWriter, open_log
from tests.trainer.drive import SAFE, UNSAFE_AT_3, G, K, answer_with
from tests.trainer.tokenizers import byte_level
from trainer.own_rewards import as_rank_reward, rank_table
from trainer.rewards import make_relevance_func, make_safe_reward_func, make_safety_func, on_grid

RUN = {"kind": "train", "rec_num": K, "num_generations": G, "w_count": 0.0, "w_end": 0.0, "w_repeat": 0.0}
ANSWERS = (
    [SAFE, UNSAFE_AT_3],
    ["1. Up (2009)\n2. Nowhere Film (1999)", "1. Frozen (2013)\n2. Up (2009)\n3. Alien (1979)\n4. Saw (2004)"],
)


def early(batch, rec_num):
    """Of the annotated batch: 1 / year's last digit + 1, no say about Frozen."""
    years = batch.entries["year"].to_numpy()
    return on_grid(batch, np.where(years == 2013, np.nan, 1 / (years % 10 + 1)), rec_num)


def brevity(completions, **_):
    """Of TRL's keyword arguments."""
    return np.repeat([[100 / len(text)] for text in completions], K, axis=1)


def train(make_trainer, annotator, folder, functions, weights, run, **options):
    log = LogWriter(folder / "store.log", RUN | run)
    trainer = make_trainer(byte_level(), functions, log, reward_weights=weights, max_steps=2, **options)
    answer_with(trainer, *ANSWERS)
    trainer.train()
    log.close()
    return open_log(folder / "store.log")


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
def test_own_rewards_are_part_of_totals_and_advantages_and_the_rest_is_derived_again(
    make_trainer, annotator, tmp_path, mode
):
    functions = [make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K), early, brevity]
    run = {"advantage_mode": mode, "w_safe": 2.0, "own_weights": {"early": 3.0, "brevity": 0.5}}
    with train(make_trainer, annotator, tmp_path, functions, [1.0, 2.0, 3.0, 0.5], run, advantage_mode=mode) as log:
        rows = (
            log.sql(
                "select *, own_rewards['early'] as early, own_rewards['brevity'] as brevity from verdicts where rank <= run_k"
            )
            .to_arrow_table()
            .to_pylist()
        )
        assert any(row["early"] for row in rows) and all(row["brevity"] for row in rows)
        for row in rows:
            left_out = row["year"] == 2013
            assert (row["early"] is None) == left_out == (row["r_total"] is None)
            if not left_out:
                total = row["r_rel"] + 2 * row["r_safe"] + 3 * row["early"] + 0.5 * row["brevity"]
                assert row["r_total"] == pytest.approx(total)
        [(count, differing, largest)] = log.sql(
            "select count(*), count(*) filter (differs), max(abs(advantage)) from rederivation"
        ).fetchall()
        assert (count > 2 * G * K, differing) == (True, 0) and largest > 0.5
        assert log.sql(
            "select list_sort(list_transform(own, lambda o: o.name)) from rederivation limit 1"
        ).fetchall() == [(["brevity", "early"],)]


def test_a_total_that_hides_an_own_reward_is_found_out(make_trainer, annotator, tmp_path):
    functions = [make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K), brevity]
    train(make_trainer, annotator, tmp_path, functions, [1.0, 1.0, 1.0], {"own_weights": {"brevity": 1.0}}).close()
    (run,) = (tmp_path / "store.log").glob("[0-9]*/run.parquet")
    row = pq.read_table(run)
    lighter = pa.array([[("brevity", 0.25)]], row.schema.field("own_weights").type)
    pq.write_table(row.set_column(row.column_names.index("own_weights"), "own_weights", lighter), run)
    with open_log(tmp_path / "store.log") as log:
        assert log.sql("select count(*) filter (not differs) from rederivation where rank <= 3").fetchall() == [(0,)]


def test_why_and_what_if_know_own_rewards_by_name(make_trainer, annotator, tmp_path):
    functions = [make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K), early]
    with train(make_trainer, annotator, tmp_path, functions, [1.0, 1.0, 3.0], {"own_weights": {"early": 3.0}}) as log:
        run = log.sql("select run_id from runs").fetchall()[0][0]
        [(sentence, parts)] = log.sql("select sentence, parts from why($run, 1, 1, 3)", params={"run": run}).fetchall()
        assert "Reward −0.40 = −1.00 safety +0.60 early" in sentence
        assert parts == [{"label": "safety", "value": -1.0}, {"label": "early", "value": pytest.approx(0.6)}]
        asked = "select r_total_if, advantage_if from what_if($run, new_weights := map {'early': 0.0, 'safety': 0.5}) where step = 1 and completion = 1 and rank = 3"
        [(total, advantage)] = log.sql(asked, params={"run": run}).fetchall()
        # Its group: a safe film of 0, and this one of -0.5; their unbiased deviation is 0.5 / √2.
        assert (total, advantage) == (-0.5, pytest.approx(-0.25 / (0.5 / math.sqrt(2) + 1e-4)))


def test_a_log_must_be_told_of_own_rewards_and_their_weights(make_trainer, annotator, tmp_path):
    functions = [make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K), brevity]
    with pytest.raises(UserError, match=r"'own_weights': \{'brevity': 1.0\}"):
        train(make_trainer, annotator, tmp_path, functions, [1.0, 1.0, 1.0], {})

    def safety(completions, **_):
        return np.zeros((len(completions), K))

    with pytest.raises(UserError, match="reward safety: the log has a column"):
        train(make_trainer, annotator, tmp_path, [make_relevance_func(annotator, rec_num=K), safety], None, {})


def test_a_function_of_the_batch_is_shown_what_the_person_has_seen_liked_and_avoids(annotator):
    def columns(batch):
        return batch.entries["seen"].to_pylist(), batch.entries["hit"].to_pylist(), batch.constraints

    reward = as_rank_reward(columns, annotator, K)
    up, frozen = {"title": "Up", "year": 2009}, {"title": "Frozen", "year": 2013}
    seen, hits, constraints = reward(["1. Up (2009)\n2. Frozen (2013)"], [[frozen]], [[up]], [["gore"]])
    assert (seen, hits, list(map(list, constraints))) == ([True, False], [False, True], [["Anti-gore / squeamish"]])


def test_a_function_of_neither_kind_is_refused(annotator):
    with pytest.raises(UserError, match=r"reward odd\(texts, films\): expected \(batch\)"):
        exec("def odd(texts, films): ...", scope := {})
        as_rank_reward(scope["odd"], annotator, K)
    with pytest.raises(UserError, match="name the trainer's annotator"):
        as_rank_reward(early, None, K)


@pytest.mark.parametrize(("rewards", "said"), [
    (lambda n: np.zeros(n), r"shape \(2,\): expected \(completions, ranks\)"),
    (lambda n: np.zeros((n + 1, K)), r"shape \(3, 3\): .* 2 rows here"),
    (lambda n: np.full((n, K), np.inf), "infinite rewards"),
])  # fmt: skip
def test_rewards_of_another_shape_or_size_are_refused(make_trainer, annotator, rewards, said):
    def odd(completions, **_):
        return rewards(len(completions))

    trainer = make_trainer(byte_level(), [make_relevance_func(annotator, rec_num=K), odd])
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    with pytest.raises(ValueError, match=f"odd gives .*{said}"):
        trainer.train()


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
def test_the_documented_factory_call_works_by_its_names_and_is_logged_as_its_two_parts(
    make_trainer, annotator, tmp_path, mode
):
    films = {("Frozen", 2013), ("Up", 2009)}
    both = make_safe_reward_func(
        rec_num=K, gt_catalog=films, safety_oracle=annotator.oracle, lambda_safe=2.0, penalty_safe=0.5
    )
    run = {"lambda_safe": 2.0, "penalty_safe": 0.5, "advantage_mode": mode, "w_rel": 3.0, "w_safe": 3.0}
    with train(make_trainer, annotator, tmp_path, both, [3.0], run, advantage_mode=mode) as log:  # alone, as there
        assert log.sql(
            "select min(r_safe), max(r_rel), count(*) filter (in_catalog and title = 'Saw') from verdicts"
        ).fetchall() == [(-1.0, 1.0, 0)]
        assert log.sql("select count(*) filter (differs) from rederivation").fetchall() == [(0,)]


def test_the_factory_wants_one_oracle(annotator):
    with pytest.raises(UserError, match="expected an oracle"):
        make_safe_reward_func(rec_num=K)
    with pytest.raises(UserError, match="the annotator has a catalog already"):
        make_safe_reward_func(annotator, gt_catalog=[("Up", 2009)])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([1.0, 2.0], r"own gives rewards of shape \(2,\): expected \(completions, ranks\), 2 rows here"),
        ([[1.0]], r"own gives rewards of shape \(1, 1\): expected \(completions, ranks\), 2 rows here"),
        ([[0.0] * (K + 2)] * 2, f"own gives {K + 2} slots, and there are {K + 1}: set rec_num"),
        ([[0.0, math.inf]] * 2, "own gives infinite rewards: expected numbers, or NaN"),
        ([[1.0], [1.0, 2.0]], "own gives no table of numbers"),
        ([["a"], ["b"]], "own gives no table of numbers"),
        ({"a": 1}, "own gives no table of numbers"),
    ],
)
def test_what_is_no_table_of_ranks_is_refused_and_a_narrow_one_filled(given, said):
    def own():
        pass

    with pytest.raises(UserError, match=f"^{said}"):
        rank_table(own, given, 2, K + 1)
    table = rank_table(own, [[1.0], [None]], 2, K + 1)
    assert table.shape == (2, K + 1) and table[0].tolist() == [1.0, *[0.0] * K] and np.isnan(table[1, 0])
