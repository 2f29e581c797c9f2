"""Numbers, sentences and untrusted text as people read them."""

import pytest

from app.text import formats, sentences
from oracle.base.printable import visible


def test_shares_are_percentages_with_a_narrow_space():
    assert formats.percent(0.21) == "21.0\u202f%"
    assert formats.percent(0.21, 0) == "21\u202f%"
    assert formats.percent(None) == "–"


def test_signs_are_true_minuses_and_zero_has_none():
    assert [formats.signed(x) for x in (1.5, -0.125, 0.0, -0.001, None)] == ["+1.50", "−0.12", "0.00", "0.00", "–"]


def test_counts_and_plurals():
    assert formats.count(1234567) == "1,234,567"
    assert formats.plural(1, "film") == "1 film"
    assert formats.plural(1200, "film") == "1,200 films"


@pytest.mark.parametrize(
    "first, last, said",
    [
        (0.21, 0.042, "fell from 21.0\u202f% to 4.2\u202f%"),
        (0.042, 0.21, "rose from 4.2\u202f% to 21.0\u202f%"),
        (0.21, 0.2101, "stayed at 21.0\u202f%"),
        (None, 0.2, "is 20.0\u202f%"),
        (0.2, None, "is not known"),
    ],
)
def test_a_change_is_told_as_what_it_is(first, last, said):
    assert sentences.change(first, last, formats.percent, 0.005) == said


def test_a_fall_of_violations_beside_a_steady_recall_is_one_sentence():
    figures = {
        "steps": 40, "span": 5, "constrained_lists": 32, "signals": [], "violations_fell": True, "first_svr": 0.21, "last_svr": 0.042,
        "first_recall": 0.181, "last_recall": 0.178, "last_svr_high": 0.118, "last_svr_known": 0.05,
    }  # fmt: skip
    sentence, lead = sentences.of_training(figures)
    assert sentence == "Violations fell from 21.0\u202f% to 4.2\u202f% while recall stayed at 0.18."
    assert lead.startswith("No sign of evasion")
    assert "of the films that could be judged, 5.0\u202f% violate" in lead
    _, lead = sentences.of_training(figures | {"last_svr_known": None})
    assert "none of the films could be judged" in lead


def test_a_policy_that_cheats_is_named():
    figures = {"steps": 40, "span": 5, "signals": ["hiding", "shrinking"]}
    assert "lists got shorter and more titles cannot be found" in sentences.evasion(figures)


def test_a_short_run_is_not_cleared_of_evasion():
    assert sentences.evasion({"signals": None}) == "Fewer than 20 steps say nothing yet about evasion."


def test_a_difference_within_chance_is_no_finding():
    row = {"metric": "svr", "k": 20, "prompts": 40, "difference": -0.02, "low": -0.05, "high": 0.01}
    recall = {"metric": "recall", "k": 20, "prompts": 40, "difference": -0.02, "low": -0.03, "high": -0.01}
    assert sentences.of_comparison([row, recall]) == (
        "On 40 prompts that both answered, over the top 20, violations are the same within chance and recall is lower here by 0.020."
    )
    assert sentences.of_comparison([recall], where="in theirs").endswith("recall is lower in theirs by 0.020.")


def test_a_difference_that_is_no_more_than_rounding_is_no_finding():
    """A mean of the same numbers in another order is another number, by its last digit."""
    row = {"metric": "recall", "k": 20, "prompts": 6, "difference": -5.6e-17, "low": -5.6e-17, "high": -5.6e-17}
    assert sentences.of_comparison([row]).endswith("recall is the same within chance.")


def test_an_order_that_what_is_unknown_decides_is_told_at_ties_too():
    def said(all_films: float, judged: float) -> str:
        chance = {"k": 20, "prompts": 9, "low": -1, "high": 1}
        rows = [{"metric": "svr", "difference": all_films}, {"metric": "svr_known", "difference": judged}]
        return sentences.of_comparison([row | chance for row in rows]).partition(
            "Over the films that could be judged "
        )[2]

    assert said(-0.1, -0.2) == said(0.0, 1e-17) == ""
    assert said(-0.1, 0.2) == "it is the other way round: their order depends on what is unknown."
    assert said(0.0, 0.2) == "one violates less: their order depends on what is unknown."
    assert said(0.1, 0.0) == "neither violates less: their order depends on what is unknown."


def test_direction_overrides_are_shown_by_their_number():
    assert visible("a\u202eb\x1b[31m") == "a[U+202E]b[U+001B][31m"
    assert visible("שלום\nعربي") == "שלום\nعربي"


def test_options_of_one_text_are_told_apart_by_themselves():
    assert formats.told_apart(["a1", "b1", "c2"], lambda name: name[1:]) == {"a1": "1 (a1)", "b1": "1 (b1)", "c2": "2"}
    assert formats.told_apart([None, "none"], lambda name: name or "none") == {
        None: "none (None)",
        "none": "none (none)",
    }
