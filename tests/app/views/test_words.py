"""What pages say in words is what their figures show: of runs where the two could part."""

import json
import os
import time

import duckdb
import pyarrow as pa
import pytest

from app.core import database
from app.text import formats
from oracle.log import LogWriter, compact, last_step_at
from tests.app.driving import open_page, written
from tests.tiny_log import NOTHING, RUN, STEP_1, film, step_tables


def test_ranks_films_and_traits_that_are_alike_are_not_called_most_and_least(empty_store):
    """Two ranks: each of an unsafe film and no hit; then the first rank of a safe hit too."""
    gore, animals = film("Saw", "tt1", {"gore": 0.9}), film("Web", "tt2", {"animals": 0.9})
    hit = film("Jaws", "tt3", {"gore": 0.1}, hit=True, r_rel=1.0)

    def said(page: str, *lists: list[dict]) -> str:
        answers = [
            {
                "prompt_id": f"p{i}",
                "constraints": ["gore", "animals"],
                "groundtruth": {"Jaws": True},
                "verdicts": listed,
            }
            for i, listed in enumerate(lists)
        ]
        with LogWriter(empty_store.with_suffix(".log"), RUN | {"rec_num": 2, "num_generations": 1}) as writer:
            writer.write_step(1, *step_tables(answers))
        database._cached.clear()
        return written(open_page(page, empty_store, run=writer.run_id))

    alike = said("ranks", [gore, animals])
    assert (
        f"All ranks violate alike, with {formats.percent(1)} of their films." in alike and "No rank has a hit." in alike
    )
    apart = said("ranks", [gore, animals], [hit, animals])
    assert f"Rank 2 violates most, with {formats.percent(1)} of its films; rank 1 least" in apart
    assert "Rank 1 earns most by hits, +0.500 a list." in apart
    films = said("films", [gore, animals])
    assert (
        "No trait is violated more often than “animals”: 1 time" in films
        and "Among the films that violate most is Saw" in films  # without a penalty nothing is punished
    )


def test_nothing_is_punished_or_earned_by_a_reward_that_weighs_nothing(empty_store):
    saw = film("Saw", "tt1", {"gore": 0.9}, hit=True, r_rel=1.0, r_safe=-1.0)
    asked = {"prompt_id": "p", "constraints": ["gore"], "groundtruth": {"Saw": True}}
    answers = [{**asked, "verdicts": [saw]}, {**asked, "verdicts": [film("Up", "tt2", {"gore": 0.1})]}]
    for weights, punished, earned in (
        ((1.0, 1.0), True, "+0.500"),
        ((1.0, 0.0), False, "+0.500"),
        ((2.0, 1.0), True, "+1.000"),
        ((0.0, 1.0), True, None),
    ):
        run = dict(zip(("w_rel", "w_safe"), weights, strict=True))
        with LogWriter(empty_store.with_suffix(".log"), RUN | {"rec_num": 1} | run) as writer:
            writer.write_step(1, *step_tables(answers))
        database._cached.clear()
        films, ranks = (written(open_page(page, empty_store, run=writer.run_id)) for page in ("films", "ranks"))
        assert ("The film punished most is Saw" in films, "Films that were punished" in films) == (punished, punished)
        assert ("The film that violates most is Saw" in films) == (not punished)
        assert ("by hits" in ranks) == (earned is not None) and (earned is None or f"by hits, {earned} a list" in ranks)
        assert (", weights included." in ranks) == (weights[0] == 2.0)


def test_where_the_last_step_lists_nothing_what_if_says_so_and_not_that_nobody_trained(empty_store):
    with LogWriter(empty_store.with_suffix(".log"), RUN | {"rec_num": 3}) as writer:
        writer.write_step(1, *step_tables(STEP_1))
        writer.write_step(2, *step_tables([{**answer, "verdicts": [NOTHING] * 3} for answer in STEP_1]))
    database._cached.clear()
    page = written(open_page("what_if", empty_store, run=writer.run_id, threshold=0.4))
    assert "The last step lists no film, so none would be pushed otherwise." in page and "not trained" not in page


def test_with_a_trait_chosen_films_are_counted_and_ordered_by_their_violations_of_it(empty_store):
    """Web violates gore eight times and animals once, King animals twice: of animals, King is punished most."""
    asked = [("Web", ["gore"])] * 8 + [("Web", ["animals", "gore"])] + [("King", ["animals"])] * 2
    risks = {"gore": 0.9, "animals": 0.7}
    verdicts = [film(title, title, {t: risks[t] for t in traits}, r_safe=-1.0) for title, traits in asked]
    answers = [
        {"prompt_id": f"p{i}", "constraints": traits, "groundtruth": {}, "verdicts": [verdict, NOTHING, NOTHING]}
        for i, ((_, traits), verdict) in enumerate(zip(asked, verdicts, strict=True))
    ]
    with LogWriter(empty_store.with_suffix(".log"), RUN | {"num_generations": 1}) as writer:
        writer.write_step(1, *step_tables(answers))
    with duckdb.connect(str(empty_store)) as store:
        store.execute("insert into traits by name select 'animals' as trait, 99 as ordinal")

    def shown(**filters: str) -> tuple[list, str]:
        app = open_page("films", empty_store, run=writer.run_id, **filters)
        return app.dataframe[0].value[["title", "violations", "cost", "max_risk"]].values.tolist(), written(app)

    table, said = shown(trait="animals")
    assert table == [["King", 2, 2.0, 0.7], ["Web", 1, 1.0, 0.7]]
    assert "The film punished most is King (2000): 2 times" in said
    assert shown()[0] == [["Web", 9, 9.0, 0.9], ["King", 2, 2.0, 0.7]]


def test_films_that_the_run_takes_for_violations_are_among_those_that_it_punished(empty_store):
    unrated = film("Nobody knows", "tt9", max_risk=None, is_safe=False)

    def said(*verdicts: dict, penalty: float) -> tuple[str, list[str]]:
        verdicts = tuple({**verdict, "r_safe": 0.0 if verdict["is_safe"] else -penalty} for verdict in verdicts)
        answer = {"prompt_id": "p", "constraints": ["gore"], "groundtruth": {}, "verdicts": list(verdicts)}
        with LogWriter(empty_store.with_suffix(".log"), RUN | {"unrated": "violation"}) as writer:
            writer.write_step(1, *step_tables([answer] * 2))
        database._cached.clear()
        app = open_page("films", empty_store, run=writer.run_id)
        return written(app), app.dataframe[0].value["title"].tolist()

    saw, safe = film("Saw", "tt1", {"gore": 0.9}), film("Jaws", "tt2", {"gore": 0.1})
    words, table = said(unrated, saw, unrated, penalty=1)
    assert "The film punished most is Nobody knows (2000): 4 times, at rank 2.0" in words
    assert "Films that were punished" in words and table == ["Nobody knows", "Saw"]
    words, _ = said(unrated, safe, safe, penalty=1)
    assert "No film is known to violate any trait." in words and "The film punished most is Nobody knows" in words
    words, _ = said(saw, unrated, unrated, penalty=0)
    assert "The film that violates most is Nobody knows (2000): 4 times" in words
    assert "Films that violate" in words and "punished" not in words


def test_every_trait_of_a_run_has_a_mark_in_the_chart_and_the_words_name_the_marks(empty_store):
    """The run asks for gore in step 1, for animals in step 2; and a longer one for heights in the middle alone."""

    def shown(kind: str, *asked: str) -> tuple[set[str], set[str], str]:
        with LogWriter(empty_store.with_suffix(".log"), RUN | {"kind": kind, "num_generations": 1}) as writer:
            for step, trait in enumerate(asked, start=1):
                verdicts = [film("Saw", "tt1", {trait: 0.9}), film("Jaws", "tt2", {trait: 0.1}), NOTHING]
                answer = {"prompt_id": "p", "constraints": [trait], "groundtruth": {}, "verdicts": verdicts}
                writer.write_step(step, *step_tables([answer]))
        database._cached.clear()
        app = open_page("films", empty_store, run=writer.run_id)
        [chart] = app.get("vega_lite_chart")
        spec = json.loads(chart.proto.spec)
        fields = {layer["encoding"]["x"]["field"] for layer in spec["layer"]}
        [data] = chart.proto.datasets
        rows = pa.ipc.open_stream(data.data.data).read_all().to_pylist()
        marked = {row["trait"] for row in rows if any(row[field] is not None for field in fields)}
        return marked, fields, written(app)

    change = "over the run (stroke), and from the first third of its steps (ring) to the last (dot)."
    marked, fields, words = shown("train", "gore", "heights", "animals")
    assert marked == {"gore", "heights", "animals"} and fields > {"first_rate", "last_rate"} and change in words
    assert shown("train", "gore", "animals")[0] == {"gore", "animals"}
    for kind, asked in (("evaluate", ("gore", "animals", "heights")), ("train", ("gore",))):
        marked, fields, words = shown(kind, *asked)
        assert marked == set(asked) and fields == {"violation_rate"}
        assert "for people who avoid a trait that violate it." in words and "(ring)" not in words


def test_titles_of_a_run_of_one_step_have_no_trend(empty_store):
    for steps, trends in ((1, [None, None]), (3, [0, 1])):
        with LogWriter(empty_store.with_suffix(".log"), RUN | {"kind": "evaluate", "num_generations": 1}) as writer:
            for step in range(1, steps + 1):
                listed = [film("Heet"), film("Allien") if step == steps else NOTHING, NOTHING]
                answer = {"prompt_id": "p", "constraints": ["gore"], "groundtruth": {}, "verdicts": listed}
                writer.write_step(step, *step_tables([answer]))
        database._cached.clear()
        rows = open_page("titles", empty_store, run=writer.run_id).dataframe[0].value.set_index("title")["trend"]
        assert [None if rows[title] != rows[title] else rows[title] for title in ("Heet", "Allien")] == trends


def test_no_sign_of_evasion_is_claimed_only_where_violations_fell(empty_store):
    """From ten films, half of them unsafe, to two, one of them unsafe: the lists got shorter, and the rate did not fall."""
    unsafe, safe = film("Saw", "tt1", {"gore": 0.9}), film("Jaws", "tt2", {"gore": 0.1})

    def said(first: list[dict], last: list[dict], constraints: tuple = ("gore",)) -> str:
        with LogWriter(empty_store.with_suffix(".log"), RUN | {"rec_num": 10}) as writer:
            for step in range(1, 21):
                listed = first if step <= 10 else last
                asked = list(constraints) if step <= 10 else ["gore"]
                answer = {"prompt_id": "p", "constraints": asked, "groundtruth": {"Up": True}}
                answer["verdicts"] = listed + [NOTHING] * (10 - len(listed))
                writer.write_step(step, *step_tables([answer] * 2))
        database._cached.clear()  # what some seconds do
        return written(open_page("overview", empty_store, run=writer.run_id))

    not_fallen = "Violations did not fall from the first 10 steps to the last 10, so no sign of evasion was looked for."
    assert not_fallen in said([unsafe, safe] * 5, [unsafe, safe])
    assert "It is not known whether violations fell" in said([safe] * 10, [unsafe, safe], ())
    assert "Careful: lists got shorter" in said([unsafe, safe] * 5, [safe] * 2)
    assert "No sign of evasion: lists are not much shorter" in said([unsafe, safe] * 5, [safe] * 9)


def test_the_last_step_of_a_run_is_as_old_as_it_was_before_its_steps_were_merged(empty_store):
    log = empty_store.with_suffix(".log")
    with LogWriter(log, RUN) as writer:
        began = open_page("overview", empty_store)
        assert began.toggle[0].value and "last step" not in written(began)
        for step in range(1, 4):
            writer.write_step(step, *step_tables(STEP_1))
    assert "last step just now" in written(open_page("overview", empty_store))
    hours = {"step-00000001": 4, "step-00000002": 2, "step-00000003": 3}  # one was written again
    for folder in writer.folder.glob("step-*"):
        os.utime(folder, (time.time() - 3600 * hours[folder.name[:13]],) * 2)
    (single, two_hours) = last_step_at(writer.folder), time.time() - 7200
    compact(log, writer.run_id, grace_s=0)
    assert last_step_at(writer.folder) == single == pytest.approx(two_hours, abs=60)
    merged = open_page("overview", empty_store)
    assert not merged.toggle[0].value and "last step" not in written(merged)


def test_an_evaluated_model_has_one_figure_on_all_pages_over_all_of_its_steps(empty_store):
    """Two steps: an answer of two films, one unsafe, and one of a safe film, to prompts with constraints; four of three others."""
    unsafe, safe = film("Saw", "tt1", {"gore": 0.9}), film("Jaws", "tt2", {"gore": 0.1})

    def answer(name: str, traits: list[str], *listed: dict) -> dict:
        verdicts = [*listed, *[NOTHING] * (3 - len(listed))]
        return {"prompt_id": name, "constraints": traits, "groundtruth": {"Up": True}, "verdicts": verdicts}

    def with_own_reward(completions: pa.Table, verdicts: pa.Table) -> tuple[pa.Table, pa.Table]:
        own = [[("mine", 1.0)] if title else [] for title in verdicts["title"].to_pylist()]
        return completions, verdicts.append_column("own_rewards", pa.array(own, pa.map_(pa.string(), pa.float64())))

    others = [answer(f"q{i}", [], film("Up", "tt3", hit=True), safe, safe) for i in range(4)]
    steps = [[answer("p", ["gore"], unsafe, safe), *others], [answer("p", ["gore"], safe)]]
    run = RUN | {"kind": "evaluate", "num_generations": 1, "own_weights": {"mine": 1.0}}
    with LogWriter(empty_store.with_suffix(".log"), run) as writer:
        for step, answers in enumerate(steps, start=1):
            writer.write_step(step, *with_own_reward(*step_tables(answers)))
    overview, models = open_page("overview", empty_store, run=writer.run_id), open_page("models", empty_store)
    said = written(overview)
    assert f"{formats.percent(1 / 3)} of the recommended films violate a constraint" in said
    assert "Over the 2 of 6 answers that are to prompts with constraints, of 1.5 films, in 2 steps" in said
    [row], [board] = (page.dataframe[-1].value.to_dict("records") for page in (overview, models))
    assert (row["svr_20"], row["films_per_list"], row["steps"]) == (pytest.approx(1 / 3), 1.5, 2)
    assert (board["SVR@20"], board["films@20"]) == (pytest.approx(1 / 3), 1.5)
    assert (
        f'<div class="value">{formats.number(15 / 6, 2)}</div>' in said
    )  # the own reward: a film each, over all six answers


def logged(store, answers: list[dict], **settings) -> str:
    """A run with one group of these answers."""
    from app.core import database

    completions, verdicts = step_tables(answers)
    places = completions.column_names.index("generation"), pa.array(range(len(answers)))
    with LogWriter(store.with_suffix(".log"), RUN | {"num_generations": len(answers)} | settings) as writer:
        writer.write_step(1, completions.set_column(places[0], "generation", places[1]), verdicts)
    database._cached.clear()
    return writer.run_id


def test_answers_that_earn_alike_are_not_called_most_and_least(empty_store):
    """Of each answer what its ranks earn; 0.1 + 0.2 is 0.3 but for rounding."""
    cases = {
        ((0.0,), (0.0,)): "All 2 answers earned alike (0.00). ",
        ((0.1, 0.2), (0.3,)): "All 2 answers earned alike (+0.30). ",
        ((1.0,), (0.0,), (0.0,)): "Answer 1 earned most (+1.00), answers 2 and 3 least (0.00). ",
        ((1.0,), (1.0,), (1.0,), (1.0,), (-0.5,)): "4 answers earned most (+1.00), answer 5 least (−0.50). ",
        ((0.0,), (None,), (0.0,)): "Answers 1 and 3 earned alike (0.00). ",
        ((0.0,), (None,)): "",
        ((1.0,),): "",
    }
    asked = {"prompt_id": "p", "constraints": ["gore"], "groundtruth": {}}
    for earned, said in cases.items():
        answers = [asked | {"verdicts": [film("Up", "tt1", r_total=r) for r in ranks]} for ranks in earned]
        page = written(open_page("answer", empty_store, run=logged(empty_store, answers)))
        assert f"not found. {said}Open a rank to see why" in page, earned


def test_one_answer_too_is_called_free_of_what_to_avoid_as_far_as_is_known(empty_store):
    known, lost, unsafe = (
        film("Up", "tt1", {"gore": 0.1}),
        film("Heet", status="unresolved"),
        film("Saw", "tt2", {"gore": 0.9}),
    )
    asked = {"prompt_id": "p", "constraints": ["gore"], "groundtruth": {}}
    for verdicts, said in (
        ([known], "names no film that this person asked to avoid."),
        ([known, lost], "names no film that this person asked to avoid as far as is known."),
        ([unsafe, lost], "names 1 film that this person asked to avoid."),
    ):
        run = logged(empty_store, [asked | {"verdicts": verdicts}], kind="evaluate")
        assert f"The answer {said}" in written(open_page("answer", empty_store, run=run))


@pytest.mark.parametrize(
    ("settings", "weighs"),
    [
        ({}, None),
        ({"lambda_safe": 0.0}, None),
        ({"lambda_end": 0.5, "w_end": 0.0, "own_weights": {"novelty": 0.0}}, None),
        ({"lambda_end": 0.5, "lambda_repeat": 0.1}, "relevance, end of list and repetition"),
        ({"lambda_count": 0.5, "w_rel": 0.0}, "count"),
        ({"length_control": 0.1}, "relevance and length of the list"),
        ({"own_weights": {"novelty": 1.0}}, "relevance and novelty"),
        ({"w_rel": 0.0}, "nothing"),
    ],
)
def test_relevance_is_said_to_be_all_only_of_runs_that_weigh_nothing_else(empty_store, settings, weighs):
    hit = film("Up", "tt1", hit=True, r_rel=1.0, r_total=1.0)
    answer = {"prompt_id": "p", "constraints": [], "groundtruth": {"Up": True}, "verdicts": [hit, NOTHING, NOTHING]}
    run = logged(empty_store, [answer, answer], **settings)
    said = {page: written(open_page(page, empty_store, run=run)) for page in ("answer", "ranks", "overview")}
    alone = (
        "This prompt has no constraints, so relevance alone decides." in said["answer"],
        "No rank was ever punished: no film counted as a violation." in said["ranks"],
        "Hits are all that tells these ranks apart." in said["ranks"],
        "It is plain Rank-GRPO: the safety reward is 0 everywhere." in said["overview"],
    )
    others = (
        "This prompt has no constraints, so safety plays no part." in said["answer"],
        "No film counted as a violation, so no rank was punished for one." in said["ranks"],
        f"Beside safety this run weighs {weighs}." in said["ranks"],
        f"The safety reward is 0 everywhere; what this run weighs is {weighs}." in said["overview"],
    )
    assert set(alone) == {weighs is None} and set(others) == {weighs is not None}


def test_a_trait_to_which_nothing_was_listed_stands_for_no_other(empty_store):
    """Animals comes before guns; to the first nothing is listed, to the second a film that is not found."""
    unknown = film("Heet", is_safe=False, status="unresolved", r_safe=-1.0, r_total=-1.0)
    answers = [
        {"prompt_id": trait, "constraints": [trait], "groundtruth": {}, "verdicts": [first, NOTHING, NOTHING]}
        for trait, first in (("animals", NOTHING), ("guns", unknown))
    ]
    run = logged(empty_store, answers, unresolved="violation")
    words = written(open_page("films", empty_store, run=run))
    assert "No film is known to violate any trait." in words and "The film punished most is Heet" in words


def test_of_one_step_nothing_is_said_to_have_stayed(empty_store):
    verdicts = [film("Saw", "tt1", {"gore": 0.9}), NOTHING, NOTHING]
    answer = {"prompt_id": "p", "constraints": ["gore"], "groundtruth": {"Up": True}, "verdicts": verdicts}
    words = written(open_page("overview", empty_store, run=logged(empty_store, [answer, answer])))
    assert "Violations are 100.0\u202f% and recall is 0.00." in words and "There is one step so far." in words
    assert "stayed" not in words and "as at the start" not in words
