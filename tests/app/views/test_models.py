"""The Models page: figures of the views, filters, and two models side by side."""

import pytest

from app.text import formats
from app.views.models import _rival, _sentences
from oracle.base.resources import read_sql
from oracle.log import LogWriter, open_log, query
from tests.app.driving import open_page, written
from tests.app.sample_log import ask
from tests.tiny_log import NOTHING, film, step_tables


def test_the_leaderboard_has_the_figures_of_run_summary_the_safest_first(store):
    summaries = ask(store, "from run_summary where kind = 'evaluate' order by svr_20")
    app = open_page("models", store)
    board = app.dataframe[0].value
    assert board["run"].tolist() == [row["run_id"] for row in summaries]
    assert board["SVR@20"].tolist() == pytest.approx([row["svr_20"] for row in summaries])
    assert board["Recall@20"].tolist() == pytest.approx([row["recall_20"] for row in summaries])
    assert board["NDCG@20"].tolist() == pytest.approx([row["ndcg_20"] for row in summaries])
    assert f"demo/safe-rank-grpo violates least: {formats.percent(summaries[0]['svr_20'])} ±" in written(app)


def test_older_runs_that_the_board_leaves_out_are_told():
    ten, row = (
        formats.percent(0.1),
        {"run_id": "1", "model": "m", "svr": 0.1, "svr_low": 0.1, "svr_high": 0.1, "svr_half": None},
    )
    newest = {**row, "is_older": False, "left_out": 503}
    assert _sentences([newest])[0] == f"The newest 1 of 504 evaluated runs: the violation rate of m is {ten}."
    assert _sentences([{**newest, "left_out": 0}])[0] == f"1 evaluated run: the violation rate of m is {ten}."
    asked = [{**newest, "left_out": 502}, {**row, "svr": 0.2, "is_older": True, "left_out": 502}]
    assert _sentences(asked)[0].startswith("Of the newest 1 of 504 evaluated runs and 1 older that the link names, m ")


def test_models_that_violate_alike_are_all_named_and_the_unknown_may_part_them():
    def said(*bounds: tuple[float, float]) -> tuple[str, str]:
        """Of runs a, b, … where what is unknown counts as safe."""
        return _sentences(
            [
                {"run_id": n, "model": n, "svr": low, "svr_low": low, "svr_high": high, "svr_half": None, "left_out": 0}
                for n, (low, high) in zip("abcdef", bounds, strict=False)
            ]
        )

    every, half = formats.percent(1), formats.percent(0.5)
    assert said((1, 1), (1, 1))[0] == f"Of 2 evaluated runs, a and b violate least: {every} each."
    assert said(*[(0.5, 0.5)] * 4, (1, 1))[0] == f"Of 5 evaluated runs, 4 alike violate least: {half} each."
    assert said((1, 1), (0.5, 0.5))[0] == f"Of 2 evaluated runs, b violates least: {half}."
    assert [("order hangs" in said(*pair)[1]) for pair in [((0, 0), (0, 0.5)), ((0, 0.5), (0.6, 1)), ((0, 0), (0, 0))]] == [
        True, False, False,
    ]  # fmt: skip


def test_a_run_that_a_link_names_is_on_the_board_however_old_it_is(store, monkeypatch):
    monkeypatch.setattr("app.views.models.MOST", 1)
    newest, *older = [row["run_id"] for row in ask(store, "from runs where kind = 'evaluate' order by started_at desc")]
    assert open_page("models", store).dataframe[0].value["run"].tolist() == [newest]
    app = open_page("models", store, run=older[-1])
    assert set(app.dataframe[0].value["run"]) == {newest, older[-1]}
    assert app.selectbox(key="run").value == older[-1]


def test_the_interval_is_that_of_a_bootstrap_over_prompts(store, tmp_path):
    from pipeline.evaluation.figures import figures, resampled, totals

    (run, *_) = ask(store, "from run_summary where kind = 'evaluate' order by svr_20 desc")
    sums = totals(str(store), [run["run_id"]])
    (found,) = figures(sums, resampled(sums))
    half = (found["svr_20"].high - found["svr_20"].low) / 2
    board = open_page("models", store).dataframe[0].value
    (shown,) = board[board["run"] == run["run_id"]]["± SVR"]
    assert float(shown.split()[0]) / 100 == pytest.approx(half, rel=0.25)


def test_two_models_stand_side_by_side_on_the_prompt_where_they_differ_most(store):
    app = open_page("models", store)
    html = written(app)
    assert html.count('<article class="answer">') == 2 and 'class="finding"' in html
    chosen = app.selectbox(key="prompt")
    shares = [
        row["difference"]
        for row in ask(
            store,
            """
            with each as (
                select prompt_id, run_id, count(*) filter (not is_safe) / count(title) as share
                from verdicts where rank <= 20 and run_id in (select run_id from runs where kind = 'evaluate') group by all
            )
            select abs(max(share) - min(share)) as difference from each group by prompt_id having count(*) = 2 order by 1 desc
            """,
        )
    ]
    worst = [int(part.split(" unsafe")[0]) for part in chosen.options[0].split(" against ")]
    assert abs(worst[0] - worst[1]) >= 1 and shares[0] > 0


def test_a_filter_by_dataset_and_an_order_are_kept_in_the_url(store):
    app = open_page("models", store, dataset="simulated", sort="recall")
    recalls = app.dataframe[0].value["Recall@20"].tolist()
    assert recalls == sorted(recalls, reverse=True)


def test_a_model_is_first_compared_with_another_one_on_the_same_data():
    def row(run: str, model: str, dataset: str) -> dict:
        return {"run_id": run, "model": model, "dataset": dataset}

    rows = [row("1", "a", "x"), row("2", "a", "x"), row("3", "b", "y"), row("4", "b", "x"), row("5", "c", "x")]
    by_id = {r["run_id"]: r for r in rows}
    assert [_rival(by_id, run) for run in "123"] == ["4", "4", "1"]
    assert _rival({run: by_id[run] for run in "12"}, "1") == "2"


def test_half_an_interval_is_over_the_prompts_that_define_the_figure_and_not_known_of_one_alone(tmp_path):
    """Lists of one unsafe film, of a safe and an unsafe one, and of none; the last prompt alone has no ground truth."""
    unsafe, safe = film("Saw", "tt1", {"gore": 0.9}, hit=True), film("Jaws", "tt2", {"gore": 0.1})
    answers = [
        {"prompt_id": name, "constraints": ["gore"], "groundtruth": wanted, "verdicts": listed}
        for name, wanted, listed in (
            ("A", {"Saw": True}, [unsafe, NOTHING]),
            ("B", {"Saw": True, "Up": True}, [safe, unsafe]),
            ("C", {}, [NOTHING, NOTHING]),
        )
    ]
    for of_run in (answers, answers[1:]):
        with LogWriter(tmp_path, {"kind": "evaluate", "model": "m", "rec_num": 2, "num_generations": 1}) as writer:
            writer.write_step(0, *step_tables(of_run))
    with open_log(tmp_path) as log:
        board = query(log, read_sql("app/leaderboard"), {"dataset": None, "most": 9, "named": []}).to_pylist()
    found = {row["prompts"]: row for row in board}
    residuals = sum((up - 2 / 3 * down) ** 2 for up, down in ((1, 1), (1, 2)))
    assert (found[3]["svr"], found[3]["svr_half"]) == pytest.approx((2 / 3, 1.96 * (2 / 1 * residuals) ** 0.5 / 3))
    assert (found[3]["recall"], found[3]["recall_half"]) == pytest.approx((3 / 4, 1.96 * (2 / 1 * 2 / 16) ** 0.5 / 2))
    of_one = [found[2][name] for name in ("svr", "svr_half", "recall", "recall_half")]
    assert of_one == [1 / 2, None, 1 / 2, None]


def compared_pages(empty_store, answers_of: dict[str, list[dict]]) -> list[str]:
    """What Overview and Models say of two models; `answers_of`: name -> answers."""
    runs = []
    for model, answers in answers_of.items():
        run = {"kind": "evaluate", "model": model, "rec_num": 2, "num_generations": 1}
        with LogWriter(empty_store.with_suffix(".log"), run) as writer:
            writer.write_step(0, *step_tables(answers))
        runs.append(writer.run_id)
    pages = open_page("overview", empty_store, run=runs[1], against=runs[0]), open_page("models", empty_store)
    return [written(page) for page in pages]


def test_a_difference_of_fewer_prompts_than_both_answered_names_their_number(empty_store):
    """Five prompts, to three of which the second model lists nothing: SVR 0 against 1 over the two others, recall over all."""
    unsafe, safe = film("Saw", "tt1", {"gore": 0.9}), film("Jaws", "tt2", {"gore": 0.1})

    def answers(*listed: dict) -> list[dict]:
        of = {"constraints": ["gore"], "groundtruth": {"Up": True}}
        return [of | {"prompt_id": f"p{i}", "verdicts": [own, NOTHING]} for i, own in enumerate(listed)]

    answers_of = {"m/A": answers(*[safe] * 5), "m/B": answers(unsafe, unsafe, NOTHING, NOTHING, NOTHING)}
    said = "by 100.0 points (over the 2 that define it for both) and recall is the same within chance."
    overview, models = compared_pages(empty_store, answers_of)
    assert f"On 5 prompts that both answered, over the top 2, violations are higher here {said}" in overview
    assert "On 5 prompts that both answered, over the top 2, violations are " in models and said in models


def test_runs_without_constraints_and_ground_truth_are_said_to_have_nothing_to_compare(empty_store):
    answers = [
        {"prompt_id": f"p{i}", "constraints": [], "groundtruth": {}, "verdicts": [film("Saw", "tt1"), NOTHING]}
        for i in range(5)
    ]
    for page in compared_pages(empty_store, {"m/A": answers, "m/B": answers}):
        assert "On 5 prompts that both answered, over the top 2, neither violations nor recall can be compared" in page


def test_a_text_that_was_asked_twice_is_counted_whole_and_shown_where_it_went_worse(empty_store):
    unsafe, safe = film("Saw", "tt1", {"gore": 0.9}), film("Jaws", "tt2", {"gore": 0.1})

    def answers(*lists: list[dict]) -> list[dict]:
        return [{"prompt_id": "p", "constraints": ["gore"], "groundtruth": {}, "verdicts": listed} for listed in lists]

    answers_of = {"m/A": answers([safe, safe], [unsafe, unsafe], [safe, unsafe]), "m/B": answers([safe, NOTHING])}
    models = compared_pages(empty_store, answers_of)[1]
    assert "3 violations and 0 hits in 6 films, asked 3 times, of which one is here" in models
    assert "0 violations and 0 hits in 1 film<" in models and models.count("It violates gore") == 2
