"""Fixture rows in, exact rows out: every expected figure here was worked out by hand from `tests/tiny_log.py`."""

from math import log2

import pytest

from oracle.log import LogWriter, ask, open_log
from tests.tiny_log import ADVANTAGE, JAWS, LOG3, NOTHING, RUN, STEP_1, STEP_2, A, B, film, step_tables, write_tiny_log


def rows(log, sql):
    relation = log.sql(sql)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def test_rollouts_and_verdicts_have_their_grain(log):
    assert rows(log, "select count(*) as n, count(distinct (step, completion)) as keys from rollouts") == [
        {"n": 8, "keys": 8}
    ]
    # 3 ranks for each of 8 answers, and one entry beyond rank 3
    assert rows(log, "select count(*) as n, count(distinct (step, completion, rank)) as keys from verdicts") == [
        {"n": 25, "keys": 25}
    ]


def test_verdicts_carry_what_follows_from_their_completion(log):
    sql = """select distinct completion, group_id, prompt_id, constrained, n_films, n_groundtruth, n_groundtruth_safe
             from verdicts where step = 1 order by completion"""
    assert log.sql(sql).fetchall() == [
        (0, 0, "A", True, 3, 2, 1),
        (1, 0, "A", True, 2, 2, 1),
        (2, 1, "B", False, 4, 1, 1),
        (3, 1, "B", False, 0, 1, 1),
    ]


def test_the_last_rank_that_can_be_logged_has_a_weight(log):
    assert rows(log, "select dcg_weight(32767::smallint) as weight") == [{"weight": pytest.approx(1 / 15)}]


def test_the_best_dcg_of_a_long_list_goes_on_behind_rank_200(log):
    [(best,)] = log.sql("select [ideal_dcg(n, 300::smallint) for n in [2, 200, 201, 400]]").fetchall()
    assert best == pytest.approx([sum(1 / log2(r + 1) for r in range(1, last + 1)) for last in (2, 200, 201, 300)])


def test_prompts_that_differ_by_rounding_are_ties(log):
    prompts = "(values (0.1::double + 0.2::double, 0.3::double), (0.3, 0.1::double + 0.2::double), (0.2, 0.3), (0, 1))"
    asked = (
        f"select count(*) filter (is_above(b, a)), count(*) filter (is_above(a, b)) from {prompts} as prompts (a, b)"
    )
    assert log.sql(asked).fetchall() == [(2, 0)]


def test_step_curves(log):
    (first, second) = rows(log, "from step_curves order by step")
    assert (first["lists"], first["constrained_lists"]) == (4, 2)
    assert first["svr"] == 1 / 5  # Saw, of 3 + 2 films for prompt A
    assert first["unresolved_rate"] == 1 / 8  # Heet; the film beyond rank 3 doesn't count
    assert first["recall"] == (1 + 0 + 1 + 0) / 4
    assert first["safe_recall"] == (1 + 0 + 1 + 0) / 4  # of Alien and of Heat
    assert first["ndcg"] == pytest.approx((1 + 0 + LOG3 + 0) / 4)
    assert first["films_per_list"] == (3 + 2 + 4 + 0) / 4
    assert first["count_k"] == (3 + 2 + 3 + 0) / 4
    assert first["overlong_rate"] == 1 / 4
    assert first["duplicate_rate"] == 1 / 8
    assert first["hit_rate"] == 3 / 8
    assert first["catalog_match"] == 7 / 8  # not Up
    assert first["mean_total_reward"] == pytest.approx((LOG3 + 0 + LOG3 + 0) / 4)
    assert first["advantage_spread"] == pytest.approx(2 * (ADVANTAGE * 2**0.5) / 6)  # rank 2 of both groups, of 6
    assert first["no_signal_rate"] == 4 / 6
    assert first["tokens_per_list"] == (15 + 10 + 20 + 0) / 4
    assert (second["svr"], second["no_signal_rate"], second["films_per_list"]) == (0, 1, 1)


def test_rank_penalties(log):
    first, second, third = rows(log, "from rank_penalties where step = 1 order by rank")  # nothing beyond rank 3
    assert (first["lists"], first["films"], first["violations"], first["hits"], first["unresolved"]) == (4, 3, 1, 1, 1)
    assert (first["penalty"], first["hit_reward"], first["mean_advantage"]) == (-1 / 4, 1 / 4, 0)
    assert (second["penalty"], second["repeated"], second["no_signal_rate"]) == (0, 1, 0)
    assert second["hit_reward"] == pytest.approx(2 * LOG3 / 4)
    assert (third["films"], third["violation_rate"], third["no_signal_rate"]) == (2, 0, 1)


def test_run_summary_of_a_training_run_is_over_all_steps(log):
    (summary,) = rows(log, "from run_summary")
    assert (summary["step"], summary["steps"], summary["lists"], summary["lists_all"]) == (None, 2, 4, 8)
    assert summary["svr_5"] == summary["svr_20"] == 1 / 7
    assert summary["unresolved_rate"] == 0
    assert summary["unresolved_rate_all"] == pytest.approx(3 / 12)  # the entry beyond rank 3 = K is not counted
    assert summary["recall_5"] == summary["recall_20"] == 1 / 4
    assert summary["recall_safe_20"] == 1 / 4
    assert summary["ndcg_20"] == pytest.approx(1 / 4)
    assert summary["sensitivity_dcg"] == 1 / 4  # one violation, at rank 1
    assert summary["count_20"] == 7 / 4
    assert summary["duplicate_rate"] == pytest.approx(1 / 7)
    assert summary["recall_20_all"] == 2 / 8


def test_steps_of_one_kind_of_prompt_and_ranks_that_are_left_out_count(tmp_path):
    left_out = {**JAWS, "is_safe": None, "r_rel": None, "r_safe": None, "r_total": None}
    beyond = [{**NOTHING, "r_total": total, "advantage": total} for total in (-0.5, 0.5)]
    with LogWriter(tmp_path / "store.log", {**RUN, "lambda_end": 0.5}) as writer:
        lists = [[left_out, JAWS, JAWS, beyond[0]], [{**JAWS, "advantage": 0.5}, JAWS, JAWS, beyond[1]]]
        writer.write_step(1, *step_tables([{**A, "verdicts": verdicts} for verdicts in lists]))
        writer.write_step(2, *step_tables([{**B, "groundtruth": {}, "verdicts": [NOTHING] * 3}] * 2))
    with open_log(tmp_path / "store.log") as log:
        assert log.sql("select steps, lists, lists_all from run_summary").fetchall() == [(2, 2, 4)]
        ranks = log.sql("select mean_advantage from rank_penalties where step = 1 order by rank").fetchall()
        assert ranks == [(0.25,), (0,), (0,), (0,)]
        same = "select c.no_signal_rate, w.no_signal_rate from step_curves c join what_if_summary(null) w using (step) order by step"
        assert log.sql(same).fetchall() == [(2 / 3, 2 / 3), (1, 1)]  # rank 4 is beyond K


def test_an_evaluation_is_summed_up_step_by_step(tmp_path):
    write_tiny_log(tmp_path / "store.log", kind="evaluate")
    with open_log(tmp_path / "store.log") as log:
        assert log.sql("select step, svr_20, lists from run_summary order by step").fetchall() == [
            (1, 1 / 5, 2),
            (2, 0, 2),
        ]


def test_violations_have_one_row_for_each_violated_trait(log):
    (violation,) = rows(log, "from violations")
    assert (violation["step"], violation["completion"], violation["rank"]) == (1, 0, 1)
    assert (violation["trait"], violation["risk"], violation["r_safe"]) == ("gore", 0.92, -1)
    assert violation["severities"] == ["Violence & Gore: Severe"]


def test_trait_breakdown(log):
    sql = """select step, trait, lists, films, violations, violation_rate, penalty, mean_risk
             from trait_breakdown order by step"""
    assert log.sql(sql).fetchall() == [(1, "gore", 2, 5, 1, 1 / 5, -1.0, 0.92), (2, "gore", 2, 2, 0, 0.0, 0.0, None)]


def test_film_penalties(log):
    sql = "select title, violations, penalty, first_step, last_step, mean_rank, traits, max_risk from film_penalties"
    assert log.sql(sql).fetchall() == [("Saw", 1, -1.0, 1, 1, 1.0, ["gore"], 0.92)]


def test_films_that_a_run_takes_for_violations_cause_its_penalties_too_as_its_curves_and_ranks_count_them(tmp_path):
    punished = {"is_safe": False, "r_safe": -1.0}
    saw = film("Saw", "tt1", {"gore": 0.9}, r_safe=-1.0)
    unrated = film("Nobody knows", "tt2", max_risk=None, **punished)
    lost = film("Heet", max_risk=None, **punished)
    ignored = film("Up", "tt3", max_risk=None, is_safe=None)
    lists = [[saw, unrated, lost], [unrated, lost, {**lost, "year": 1995}], [unrated, ignored, JAWS, unrated]]
    with LogWriter(tmp_path / "store.log", {**RUN, "unrated": "violation", "unresolved": "violation"}) as writer:
        writer.write_step(1, *step_tables([{**A, "verdicts": listed} for listed in lists]))
    counted = [row for listed in lists for row in listed[:3] if row["is_safe"] is False]
    with open_log(tmp_path / "store.log") as log:
        films = rows(log, "from film_penalties order by violations desc, title, year desc")
        assert [(row["title"], row["year"], row["imdb_id"], row["violations"], row["traits"]) for row in films] == [
            ("Nobody knows", 2000, "tt2", 3, []), ("Heet", 2000, None, 2, []),
            ("Heet", 1995, None, 1, []), ("Saw", 2000, "tt1", 1, ["gore"]),
        ]  # fmt: skip
        sums = "select sum(violations), sum({}) from {}"
        assert log.sql(sums.format("penalty", "film_penalties")).fetchall() == [(len(counted), -len(counted))]
        assert log.sql(sums.format("penalty * lists", "rank_penalties")).fetchall() == [(len(counted), -len(counted))]
        assert log.sql("select title, violations from penalties_of_films('gore')").fetchall() == [("Saw", 1)]
        assert [row["violations"] for row in ask(log, "worst_films").to_pylist()] == [3, 2, 1, 1]


def test_unresolved_and_doubtful_titles(log):
    sql = "select title, year, times, lists, first_step, last_step, early, late, trend from unresolved_titles"
    assert log.sql(sql).fetchall() == [("Heet", 2000, 3, 3, 1, 2, 1, 2, 1)]
    sql = "select title, matched_title, match_method, match_score, times, violations from doubtful_titles"
    assert log.sql(sql).fetchall() == [("Up", "Up", "alternative", 0.93, 1, 0)]


def test_disagreement_is_about_prompts_with_constraints(log):
    sql = "select step, completion, rank, reason, title, round(distance, 2) from disagreement order by all"
    # Jaws has risk 0.64, 0.02 below the threshold; Up is doubtful, but nothing hangs on it
    near = [(1, 0, 3), (1, 1, 1), (1, 1, 2), (2, 0, 1), (2, 1, 1)]
    assert log.sql(sql).fetchall() == [(*key, "near threshold", "Jaws", -0.02) for key in near]


def test_a_risk_as_far_from_the_threshold_as_allowed_is_near_it_on_both_sides(tmp_path):
    risks = {"Below": 0.61, "Above": 0.71, "Far below": 0.6099, "Far above": 0.7101}
    answers = [{**A, "verdicts": [film(title, title, {"gore": risk})]} for title, risk in risks.items()]
    with LogWriter(tmp_path / "store.log", RUN) as writer:
        writer.write_step(1, *step_tables(answers))
    with open_log(tmp_path / "store.log") as log:
        assert log.sql("select title from disagreement order by completion").fetchall() == [("Below",), ("Above",)]


@pytest.mark.parametrize(
    ("steps", "heet", "jaws"),
    [
        ((1, 2, 3, 4, 5, 60), (6, 5, -1), (6, 7)),
        ((1, 2, 4, 5, 60), (4, 4, 0), (4, 4)),  # the middle one is in neither half
        ((1, 2, 3, 4, 60), (4, 3, -1), (4, 5)),
        ((1, 4), (2, 1, -1), (2, 3)),
        ((1,), (None, None, None), (None, None)),
    ],
)
def test_the_halves_of_a_run_have_the_same_number_of_steps_whatever_their_numbers(tmp_path, steps, heet, jaws):
    with LogWriter(tmp_path / "store.log", RUN) as writer:
        for step in steps:
            writer.write_step(step, *step_tables(STEP_1 if step == 4 else STEP_2))
    with open_log(tmp_path / "store.log") as log:
        # Heet: twice in each step, but once in step 4. Jaws: twice, and there three times.
        assert log.sql("select title, early, late, trend from unresolved_titles").fetchall() == [("Heet", *heet)]
        halves = {row["title"]: row for row in ask(log, "most_recommended").to_pylist()}
        assert (halves["Jaws"]["first_half"], halves["Jaws"]["second_half"]) == jaws


def test_evasion_signals_compare_the_last_ten_steps_with_the_first_ten(tmp_path):
    with LogWriter(tmp_path / "store.log", RUN) as writer:
        for step in range(1, 25):
            writer.write_step(step, *step_tables(STEP_1 if step <= 12 else STEP_2))
    with open_log(tmp_path / "store.log") as log:
        signals = dict(log.sql("select step, signals from evasion_signals").fetchall())
        [last] = rows(log, "from evasion_signals where step = 22")
    assert {step: signals[step] for step in range(1, 20)} == {step: None for step in range(1, 20)}
    # In step 20, eight of the last ten steps are of the second kind.
    assert signals[20] == signals[24] == ["shrinking", "hiding", "off_taste"]
    assert (last["first_svr"], last["last_svr"]) == pytest.approx((1 / 5, 0))
    assert (last["first_count_k"], last["last_count_k"]) == pytest.approx((8 / 4, 4 / 4))
    assert (last["first_unresolved_rate"], last["last_unresolved_rate"]) == pytest.approx((1 / 8, 1 / 2))
    assert (last["first_recall"], last["last_recall"]) == pytest.approx((1 / 2, 0))


def test_lists_that_become_empty_are_a_sign_of_evasion_though_they_have_no_rate(tmp_path):
    with LogWriter(tmp_path / "store.log", RUN) as writer:
        for step in range(1, 21):
            empty = [answer | {"verdicts": [NOTHING] * 3} for answer in STEP_1]
            writer.write_step(step, *step_tables(STEP_1 if step <= 10 else empty))
    with open_log(tmp_path / "store.log") as log:
        assert log.sql("select last_svr, signals from evasion_signals where step = 20").fetchall() == [
            (None, ["shrinking", "off_taste"])
        ]


def test_what_a_policy_does_while_its_violations_rise_is_no_evasion(tmp_path):
    with LogWriter(tmp_path / "store.log", RUN) as writer:
        for step in range(1, 21):
            writer.write_step(step, *step_tables(STEP_2 if step <= 10 else STEP_1))
    with open_log(tmp_path / "store.log") as log:
        assert log.sql("select signals from evasion_signals where step = 20").fetchall() == [([],)]


def test_runs_are_compared_prompt_by_prompt(tmp_path):
    root = tmp_path / "store.log"
    run_a, run_b = write_tiny_log(root), write_tiny_log(root)
    with open_log(root) as log:
        same = rows(log, f"from compare_runs('{run_a}', '{run_b}')")
        assert [(r["metric"], r["difference"], r["low"], r["high"], r["ties"]) for r in same] == [
            *((metric, 0, None, None, 1) for metric in ("svr", "svr_low", "svr_high", "svr_known")),  # of one prompt
            ("recall", 0, 0, 0, 2), ("ndcg", 0, 0, 0, 2), ("films_per_list", 0, 0, 0, 2),
            ("duplicate_rate", 0, 0, 0, 2), ("unresolved_rate", 0, 0, 0, 2), ("unrated_rate", 0, None, None, 1), ("ambiguous_rate", 0, 0, 0, 2),
        ]  # fmt: skip
        steps = {
            r["metric"]: r for r in rows(log, f"from compare_runs('{run_a}', '{run_b}', step_a := 1, step_b := 2)")
        }
    assert (steps["svr"]["prompts"], steps["svr"]["value_a"], steps["svr"]["value_b"]) == (1, 1 / 5, 0)
    assert (steps["recall"]["value_a"], steps["recall"]["value_b"], steps["recall"]["b_lower"]) == (1 / 2, 0, 2)
    # Lists: 2.5 films for A and 2 for B, then 1 each: the mean difference is -1.25, and between -1.5 and -1 resampled.
    lists = steps["films_per_list"]
    assert (lists["value_a"], lists["value_b"], lists["low"], lists["high"]) == (2.25, 1, -1.5, -1)


def test_an_empty_log_has_every_view(tmp_path):
    import duckdb

    from oracle.log import create_log_views

    with duckdb.connect() as connection:
        create_log_views(connection, tmp_path / "empty.log")
        views = [
            name for (name,) in connection.sql("select view_name from duckdb_views() where not internal").fetchall()
        ]
        assert len(views) > 15
        assert {name: connection.table(name).fetchall() for name in views} == {name: [] for name in views}
