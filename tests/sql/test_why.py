"""The sentence that says why a rank was rewarded as it was."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.log import LogWriter, open_log
from oracle.risk import risk_text
from tests.tiny_log import JAWS, NOTHING, RUN, A, B, film, step_tables

REWARDS = ("r_rel", "r_safe", "r_count", "r_end", "r_repeat", "r_total")
RISKS = st.floats(1e-4, 1) | st.integers(1, 10**4).map(lambda parts: parts / 10**4)
APART = st.floats(-1e-2, 1e-2) | st.floats(-1e-15, 1e-15) | st.just(0.0)


def sentences(root, answers: list[dict], **run: object) -> dict[tuple[int, int], str]:
    """The sentence of each (completion, rank) of a run of one step."""
    with LogWriter(root, {**RUN, **run}) as writer:
        writer.write_step(1, *step_tables(answers))
    with open_log(root) as log:
        return {
            (completion, rank): sentence
            for number in range(len(answers))
            for completion, rank, sentence in log.sql(
                "select completion, rank, sentence from why(?, 1, ?)", params=[writer.run_id, number]
            ).fetchall()
        }


def test_why_says_in_a_sentence_what_happened_at_a_rank(log):
    run = log.sql("select run_id from runs").fetchall()[0][0]
    why = lambda completion, rank: log.sql(  # noqa: E731
        "select sentence from why(?, 1, ?, ?)", params=[run, completion, rank]
    ).fetchall()[0][0]
    assert why(0, 1) == (
        "Rank 1, “Saw (2000)”, was taken for Saw (2000) (exact match, score 1.00). "
        "It violates gore: risk 0.92 ≥ 0.66 (Violence & Gore: Severe). It is ground truth. "
        "Reward +0.00 = +1.00 relevance −1.00 safety. Its 5 tokens got advantage +0.00."
    )
    assert why(1, 2) == (
        "Rank 2, “Jaws (2000)”, was taken for Jaws (2000) (exact match, score 1.00). "
        "It is safe: its highest risk for these constraints is 0.64 < 0.66. An earlier rank named it already. "
        "Reward +0.00. Its 5 tokens got advantage −0.71."
    )
    assert why(2, 1) == (
        "Rank 1, “Heet (2000)”, was not found among the known titles. The prompt has no constraints. "
        "Reward +0.00. Its 5 tokens got advantage +0.00."
    )
    assert why(3, 1) == "Nothing was emitted at rank 1. Reward +0.00."
    assert log.sql("select rank from why(?, 1, 2)", params=[run]).fetchall() == [(1,), (2,), (3,), (4,)]


def test_a_title_that_the_length_limit_cut_off_is_told_as_cut_off(tmp_path):
    cut_off = {**NOTHING, "start": 30, "end": 60, "n_tokens": 19, **dict.fromkeys(REWARDS)}
    told = sentences(tmp_path, [{**A, "verdicts": [JAWS, cut_off, NOTHING]}, {**B, "verdicts": [NOTHING] * 3}])
    assert told[0, 2] == (
        "The length limit cut the answer off at rank 2. What stands there may be no whole title, so it is no recommendation: "
        "no verdict, no reward, and left out of the group's mean. Its 19 tokens got advantage +0.00."
    )
    assert told[0, 3] == "Nothing was emitted at rank 3. Reward +0.00."


@pytest.mark.parametrize("policy", ["violation", "ignore"])
def test_what_stands_beyond_k_is_said_to_count_as_nothing(tmp_path, policy):
    unknown = {"is_safe": False if policy == "violation" else None, "r_total": 0.0}
    lost = film("Heet", status="unresolved", unrated_traits=[], **unknown)
    unrated = film("Up", "tt1049413", status="unrated", unrated_traits=["gore"], **unknown)
    end = {"r_end": -0.5, "r_total": -0.5, "advantage": -0.7}
    answers = [{**A, "verdicts": [lost, unrated, JAWS, {**lost, **end}, {**unrated, "advantage": None}]}] * 2
    told = sentences(tmp_path, answers, unresolved=policy, unrated=policy, lambda_end=0.5)
    counts = {
        "violation": "That counts as a violation.",
        "ignore": "That is ignored: no reward, and left out of the group's mean.",
    }[policy]
    assert f"known titles. {counts} Reward" in told[0, 1] and f"for gore. {counts} Reward" in told[0, 2]
    beyond = "The run's K is 3: what stands beyond it counts in no rate, and earns nothing itself."
    assert not any(beyond in told[0, rank] for rank in (1, 2, 3))
    assert told[0, 4] == (
        f"Rank 4, “Heet (2000)”, was not found among the known titles. {beyond} "
        "Reward −0.50 = −0.50 end of list. Its 5 tokens got advantage −0.70."
    )
    assert told[0, 5] == (
        "Rank 5, “Up (2000)”, was taken for Up (2000) (exact match, score 1.00). "
        f"Nothing is known about it for gore. {beyond} Reward +0.00."
    )


def test_a_risk_beside_the_threshold_has_the_digits_that_tell_them_apart(tmp_path):
    close = film("Saw", "tt0387564", {"gore": 2 / 3}, violated_traits=[], is_safe=True)
    over = film("Hostel", "tt0450278", {"gore": 0.6701})
    told = sentences(tmp_path, [{**A, "verdicts": [close, over, JAWS]}] * 2, risk_threshold=0.67)
    assert "its highest risk for these constraints is 0.667 < 0.67." in told[0, 1]
    assert "It violates gore: risk 0.6701 ≥ 0.67 (" in told[0, 2]
    assert "its highest risk for these constraints is 0.64 < 0.67." in told[0, 3]


@given(st.lists(st.tuples(RISKS, APART), min_size=1, max_size=50))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_printed_risk_is_on_its_side_of_the_printed_threshold_in_sql_and_python(log, drawn):
    pairs = [(min(1.0, max(1e-5, threshold + apart)), threshold) for threshold, apart in drawn]
    told = log.execute(
        "select risk_text(p[1], p[2]), p[2]::varchar from (select unnest($pairs::double[][]) as p)",
        {"pairs": [list(pair) for pair in pairs]},
    ).fetchall()
    for (risk, threshold), (text, whole) in zip(pairs, told, strict=True):
        assert (text, whole) == (risk_text(risk, threshold), str(threshold))
        assert Decimal(text).compare(Decimal(whole)) == (risk > threshold) - (risk < threshold)
        assert abs(Decimal(text) - Decimal(risk)) <= Decimal("0.005")
