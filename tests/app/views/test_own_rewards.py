"""A reward of one's own on the pages: its curve, its mean by rank, its chip, and what another weight would have earned."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle.log import LogWriter
from oracle.store.build import build_starter_store
from tests.app.driving import checked, open_page, written
from tests.tiny_log import RUN, STEP_1, STEP_2, step_tables

WEIGHT, NAME = 0.5, "novelty"
# One of rank 1's films is new, in the first step; nothing else earns anything: 1 a list of 4, at rank 1.
VALUE = {1: 4.0, 2: 0.0}


def with_own(step: int, answers: list[dict]) -> tuple[pa.Table, pa.Table]:
    completions, verdicts = step_tables(answers)
    values = [
        VALUE[step] if (c, r) == (0, 1) else 0.0
        for c, r in zip(verdicts["completion"].to_pylist(), verdicts["rank"].to_pylist(), strict=True)
    ]
    own = pa.array([[(NAME, value)] for value in values], pa.map_(pa.string(), pa.float64()))
    total = [t + WEIGHT * v for t, v in zip(verdicts["r_total"].to_pylist(), values, strict=True)]
    verdicts = verdicts.append_column("own_rewards", own)
    return completions, verdicts.set_column(verdicts.column_names.index("r_total"), "r_total", pa.array(total))


@pytest.fixture(scope="module")
def own_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run with a reward of one's own, and the evaluation of it on held-out prompts."""
    store = build_starter_store(tmp_path_factory.mktemp("own") / "store.duckdb")
    settings = {**RUN, "own_weights": {NAME: WEIGHT}}
    with LogWriter(store.with_suffix(".log"), settings) as log:
        log.write_step(1, *with_own(1, STEP_1))
        log.write_step(2, *with_own(2, STEP_2))
    held_out = {**settings, "kind": "evaluate", "settings": json.dumps({"training_run": log.run_id})}
    with LogWriter(store.with_suffix(".log"), held_out) as evaluation:
        evaluation.write_step(2, *with_own(1, STEP_1))
    again = json.dumps({"training_run": log.run_id, "rejudged_from": evaluation.run_id})
    with LogWriter(
        store.with_suffix(".log"), held_out | {"settings": again}
    ) as judged_again:  # is no point of any curve
        judged_again.write_step(2, *with_own(1, STEP_1))
    return store


def charts(app) -> list[dict]:
    """The charts of a page as Vega-Lite has them, with their data."""
    return [{"spec": json.loads(c.proto.spec), "data": c.proto.datasets} for c in app.get("vega_lite_chart")]


def rows(chart: dict) -> list[dict]:
    [data] = chart["data"]
    return pa.ipc.open_stream(data.data.data).read_all().to_pylist()


def test_its_sum_over_an_answer_is_a_curve_of_the_overview_and_evaluations_are_points_of_it(own_store):
    drawn = charts(open_page("overview", own_store))
    [curve] = [c for c in drawn if NAME in str(c["spec"].get("title"))]
    points = {(row["held_out"], row["step"]): row["own"] for row in rows(curve)}
    assert points == {(False, 1): 1.0, (False, 2): 0.0, (True, 2): 1.0}


def test_its_mean_by_rank_stands_beside_those_of_safety_and_relevance(own_store):
    app = open_page("ranks", own_store)
    [chart] = [c for c in charts(app) if "part" in str(c["spec"])]
    assert {row["rank"]: row["reward"] for row in rows(chart) if row["part"] == NAME} == {1: 0.5, 2: 0.0, 3: 0.0}
    assert {row["part"] for row in rows(chart)} == {"safety", "relevance", NAME}
    assert f"and {NAME}." in written(app)


def test_another_weight_of_it_is_a_slider_of_what_if(own_store):
    app = open_page("what_if", own_store)
    [slider] = [s for s in app.slider if s.key == f"weight_{NAME}"]
    assert slider.value == WEIGHT and "These are the run’s own settings" in written(app)
    # The mean over both steps, of 4 answers each, is 4 / 4 and 0: with 2 more of weight, 1.00 more.
    page = written(checked(slider.set_value(WEIGHT + 2).run()))
    was, would_be = re.findall(r"the reward of an answer would rise from \+(\d+\.\d+) to \+(\d+\.\d+)", page)[0]
    assert float(would_be) - float(was) == pytest.approx(1.0)


def test_its_part_is_a_chip_of_its_rank(own_store):
    assert f"+2.00 {NAME}" in written(open_page("answer", own_store, step=1, prompt=0))


def test_its_mean_is_told_of_an_evaluation(own_store):
    [run] = [folder.name for folder in own_store.with_suffix(".log").iterdir() if is_evaluation(folder)]
    assert re.search(rf"{NAME}.*?1\.00", written(open_page("overview", own_store, run=run)), re.DOTALL)


def is_evaluation(folder: Path) -> bool:
    if not (folder / "run.parquet").exists():
        return False
    rows = pq.read_table(folder / "run.parquet", columns=["kind", "settings"]).to_pylist()
    return any(run["kind"] == "evaluate" and "rejudged_from" not in run["settings"] for run in rows)
