"""The page What-if: it starts as the run was, and tells what other settings would have made of the same answers."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.text import formats
from oracle import build_store
from oracle.base.resources import read_sql
from oracle.log import LogWriter
from tests.app.driving import checked, open_page, written
from tests.app.sample_log import ask
from tests.synthetic_log import PARTS, SETTINGS, advantages
from tests.tiny_log import RUN, STEP_1, A, film, step_tables


def test_with_its_own_settings_a_run_stays_what_it_was(store, run):
    assert "These are the run’s own settings" in written(open_page("what_if", store, run=run))


def test_whatever_a_run_had_its_sliders_start_so_and_another_runs_as_that_one_had(empty_store, monkeypatch):
    own = {"lambda_safe": 8.03, "penalty_safe": 6.0, "risk_threshold": 0.02, "own_weights": {"novelty": 7.003}}
    runs = []
    for settings in (own | {"unresolved": "ignore"}, {"risk_threshold": 0.663}, {}):
        with LogWriter(empty_store.with_suffix(".log"), RUN | settings) as log:
            log.write_step(1, *step_tables(STEP_1))
        runs.append(log.run_id)
    odd, usual, foreign = runs
    stored = empty_store.with_suffix(".log") / foreign / "run.parquet"
    kept = pq.read_table(stored)
    for name, value in (("penalty_safe", -1.0), ("risk_threshold", 1.5)):  # earlier versions let them through
        kept = kept.set_column(kept.column_names.index(name), name, pa.array([value]))
    pq.write_table(kept, stored)
    app = open_page("what_if", empty_store, run=odd)
    assert [slider.value for slider in app.slider] == [8.03, 6.0, 0.02, 7.003]
    of_odd = dict(app.query_params)
    assert "These are the run’s own settings" in written(app)
    checked(app.selectbox(key="run").set_value(usual).run())
    assert [slider.value for slider in app.slider] == [1.0, 1.0, 0.663]
    assert "These are the run’s own settings" in written(app)
    with monkeypatch.context() as going_back:
        going_back.setattr("app.core.address._is_back", lambda: True)
        app.query_params.update(of_odd | {"lambda": "1.0"})  # which the run that is shown now has, too
        assert [slider.value for slider in checked(app.run()).slider] == [1.0, 6.0, 0.02, 7.003]
    before = dict(app.query_params)
    checked(app.selectbox(key="run").set_value(usual).run())
    app.query_params.update(before)  # the next message leaves before the browser has heard of that choice
    checked(app.selectbox(key="run").set_value(foreign).run())
    assert [slider.value for slider in app.slider] == [1.0, 0.0, 1.0] and "state error" not in written(app)


def test_a_lower_threshold_shows_the_violations_that_it_would_make(store, run):
    page = written(open_page("what_if", store, run=run, threshold=0.4))
    [row] = ask(
        store,
        """
        select avg(svr) as was, avg(svr_if) as would_be
        from (from what_if_summary($run, new_threshold := 0.4) order by step desc limit 5)
        """,
        run=run,
    )
    assert (
        f"{formats.percent(row['would_be'])} of the last films would violate, not {formats.percent(row['was'])}" in page
    )


def test_a_long_run_that_is_judged_again_is_drawn_with_few_points_and_its_last_steps_are_whole():
    asked = {
        "run": "r",
        "lambda": 1,
        "penalty": 1,
        "threshold": 0.5,
        "unresolved": "safe",
        "unrated": "safe",
        "own": [],
        "weights": [],
    }
    with duckdb.connect() as connection:
        connection.execute(
            """
            create macro what_if_summary(
                run, new_lambda := 1, new_penalty := 1, new_threshold := 1, new_unresolved := '', new_unrated := '', new_weights := map()
            ) as table
            select range::integer as step, range / 1000 as svr, 1 - range / 1000 as svr_if, 0.5 as punished, 0.25 as punished_if,
                range as mean_total_reward, -range as mean_total_reward_if, 0 as no_signal_rate, 1 as no_signal_rate_if
            from range(1, 1001)
            """
        )
        sql = read_sql("app/what_if_curves")
        many = connection.sql(sql, params=asked | {"steps": list(range(1, 1001))}).to_arrow_table().to_pylist()
        few = connection.sql(sql, params=asked | {"steps": [4, 8, 1000]}).to_arrow_table().to_pylist()
    assert len(many) == 250 and [row["step"] for row in many[:3]] == [1, 5, 9]
    assert many[0]["svr"] == pytest.approx(0.0025) and many[-1]["mean_total_reward_if"] == -998.5
    assert {row["last_reward"] for row in many} == {998.0}  # of steps 996 to 1000, not of points
    assert [(row["step"], row["svr"]) for row in few] == [(4, 0.004), (8, 0.008), (1000, 1.0)]


@pytest.mark.parametrize(
    ("was", "asked", "expected"),
    [((0.05, 1.0), (0.1, 3.0), (0, 4, 0)), ((0.1, 3.0), (0.05, 1.0), (0, 0, 4)), ((0.05, 1.0), (0.4, 1.0), (4, 0, 0))],
)
def test_a_rank_whose_rewards_are_equal_but_for_rounding_is_pushed_nowhere(was, asked, expected, tmp_path):
    """Two of four answers violate (-λ · P), the others repeat (-0.3); 0.1 * 3.0 is not 0.3 by its last digit."""
    run = SETTINGS | {"lambda_safe": was[0], "penalty_safe": was[1], "lambda_repeat": 0.3, "advantage_mode": "grpo"}
    run |= {"rec_num": 1, "num_generations": 4}
    safety = np.array([[-was[0] * was[1]], [0.0]] * 2)
    repeat = np.array([[0.0], [-0.3]] * 2)
    parts = {part: np.zeros((4, 1)) for part in PARTS} | {"safe": safety, "repeat": repeat}
    answers = []
    for i, [advantage] in enumerate(advantages(run, parts, 4)):
        rewards = {"r_safe": safety[i, 0], "r_repeat": repeat[i, 0], "r_total": safety[i, 0] + repeat[i, 0]}
        listed = film("Saw", "tt1", {"gore": 0.9 if i % 2 == 0 else 0.1}, repeated=i % 2 == 1, advantage=advantage)
        answers.append({**A, "groundtruth": {}, "verdicts": [listed | rewards]})
    store = build_store(tmp_path / "store.duckdb")
    with LogWriter(tmp_path / "store.log", run) as log:
        log.write_step(1, *step_tables(answers))
    settings = {"lambda": asked[0], "penalty": asked[1], "threshold": 0.66, "unresolved": "safe", "unrated": "safe"}
    settings |= {"own": [], "weights": [], "run": log.run_id}
    [pushes] = ask(store, read_sql("app/what_if_pushes"), **settings, step=1)
    assert (pushes["ranks"], pushes["turned"], pushes["silenced"], pushes["woken"]) == (4, *expected)
    [curve] = ask(store, read_sql("app/what_if_curves"), **settings, steps=[1])
    assert (curve["no_signal_rate"], curve["no_signal_rate_if"]) == (was == (0.1, 3.0), asked == (0.1, 3.0))
