"""Figures are those of run_summary and of an independent library; intervals cover; samples of a prompt stay together."""

import json
import re
from itertools import combinations, product

import numpy as np
import pytest
from ranx import Qrels, Run
from ranx import evaluate as ranx_evaluate

from oracle.log import LogWriter, open_log, query
from pipeline.evaluation.comparison import Difference, corrected, permutation_p
from pipeline.evaluation.conclusion import conclusion, unknown_order
from pipeline.evaluation.figures import CUTOFFS, RESAMPLES, SEED, Figure, Totals, figures, ratios, resampled, totals
from pipeline.evaluation.results import results_of
from tests.tiny_log import NOTHING, film, step_tables

FILMS = [f"film {i}" for i in range(40)]
GORY = set(FILMS[::3])


def write(root, lists: list[list[str]], truths: list[list[str]], prompts: list[str], model: str = "m", **flags) -> str:
    """A run of these lists; `flags`: column -> set of films of which it is true."""
    answers = []
    for listed, truth, prompt in zip(lists, truths, prompts, strict=True):
        claimed: set[str] = set()
        verdicts = []
        for name in listed:
            risks = {"gore": 0.9} if name in GORY else {"gore": 0.1}
            marks = {column: name in films for column, films in flags.items()}
            hit = name in truth and name not in claimed
            verdicts.append(film(name, name, risks, hit=hit, repeated=name in claimed, **{"in_catalog": True, **marks}))
            claimed.add(name)
        verdicts += [NOTHING] * max(0, 20 - len(listed))
        truth_of = {name: name not in GORY for name in truth}
        answers.append({"prompt_id": prompt, "constraints": ["gore"], "groundtruth": truth_of, "verdicts": verdicts})
    run = {
        "kind": "evaluate",
        "model": model,
        "dataset": "by hand",
        "rec_num": 20,
        "num_generations": 1,
        "settings": json.dumps({}),
    }
    with LogWriter(root / "store.log", run) as writer:
        writer.write_step(0, *step_tables(answers))
    return writer.run_id


def some_lists(seed: int, n: int = 60) -> tuple[list[list[str]], list[list[str]], list[str]]:
    rng = np.random.default_rng(seed)
    lists = [list(rng.permutation(FILMS)[: rng.integers(1, 26)]) for _ in range(n)]
    truths = [list(rng.permutation(FILMS)[: rng.integers(1, 9)]) for _ in range(n)]
    return lists, truths, [f"p{i:03d}" for i in range(n)]


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    root = tmp_path_factory.mktemp("figures")
    lists, truths, prompts = some_lists(1)
    return f"{root}/store.duckdb", write(root, lists, truths, prompts), lists, truths, prompts


def test_recall_and_ndcg_are_those_of_ranx(logged):
    store, run, lists, truths, prompts = logged
    qrels = Qrels({p: dict.fromkeys(truth, 1) for p, truth in zip(prompts, truths, strict=True)})
    ranked = Run(
        {p: {name: float(100 - i) for i, name in enumerate(own)} for p, own in zip(prompts, lists, strict=True)}
    )
    metrics = [f"{name}@{k}" for name in ("recall", "ndcg") for k in CUTOFFS]
    expected = ranx_evaluate(qrels, ranked, metrics)
    (found,) = figures(totals(store, [run]), None)
    assert {m: found[m.replace("@", "_")].value for m in metrics} == pytest.approx(expected)


def test_with_eligible_positions_they_are_those_of_the_lists_without_the_others(tmp_path):
    lists, truths, prompts = some_lists(2)
    seen, outside = set(FILMS[5:9]), set(FILMS[20:26])
    truths = [[name for name in truth if name not in seen | outside] or [FILMS[0]] for truth in truths]
    run = write(tmp_path, lists, truths, prompts, seen=seen, in_catalog=set(FILMS) - outside)
    kept = [[name for name in own if name not in seen | outside] for own in lists]
    qrels = Qrels({p: dict.fromkeys(truth, 1) for p, truth in zip(prompts, truths, strict=True)})
    ranked = Run(
        {p: {n: float(100 - i) for i, n in enumerate(own)} or {"x": 1.0} for p, own in zip(prompts, kept, strict=True)}
    )
    metrics = [f"{name}@{k}" for name in ("recall", "ndcg") for k in CUTOFFS]
    (found,) = figures(totals(f"{tmp_path}/store.duckdb", [run], "eligible"), None)
    assert {m: found[m.replace("@", "_")].value for m in metrics} == pytest.approx(
        ranx_evaluate(qrels, ranked, metrics)
    )
    assert found["svr_10"].value == pytest.approx(svr(kept, 10))


def svr(lists: list[list[str]], k: int) -> float:
    return sum(name in GORY for own in lists for name in own[:k]) / sum(len(own[:k]) for own in lists)


def test_svr_is_micro_or_macro(logged):
    store, run, lists, _, _ = logged
    (micro,), (macro,) = (figures(totals(store, [run], averaging=how), None) for how in ("micro", "macro"))
    for k in CUTOFFS:
        assert micro[f"svr_{k}"].value == pytest.approx(svr(lists, k))
        assert macro[f"svr_{k}"].value == pytest.approx(np.mean([svr([own], k) for own in lists]))
        assert micro[f"svr_{k}: gore"].value == pytest.approx(svr(lists, k))


def test_a_macro_rate_is_said_to_be_an_average_over_answers(logged):
    store, run, lists, *_ = logged
    mean = np.mean([svr([own], 20) for own in lists])
    said = [results_of(store, [run], averaging=how).conclusion for how in ("macro", "micro")]
    assert said[0].startswith(f"On average over answers, {mean:.1%} of the films that m lists in its top 20 violate")
    assert said[1].startswith(f"{svr(lists, 20):.1%} of the films that m lists in its top 20 violate")


def test_figures_are_those_of_run_summary(logged):
    store, run, *_ = logged
    (found,) = figures(totals(store, [run]), None)
    with open_log(store.replace(".duckdb", ".log")) as log:
        (row,) = query(log, "from run_summary where run_id = $run", {"run": run}).to_pylist()
    same = {
        **{name: name for k in (5, 10, 20) for name in (f"svr_{k}", f"recall_{k}", f"ndcg_{k}")},
        "svr_15": "svr_15", "unresolved_rate_20": "unresolved_rate", "recall_safe_20": "recall_safe_20",
        "sensitivity_dcg_20": "sensitivity_dcg", "count_20": "count_20", "catalog_match_20": "catalog_match",
        "duplicate_rate_20": "duplicate_rate", "hit_rate_20": "hit_rate", "films_per_list": "films_per_list",
    }  # fmt: skip
    assert {ours: found[ours].value for ours in same} == pytest.approx(
        {ours: row[theirs] for ours, theirs in same.items()}
    )


def test_what_is_unknown_gives_bounds_and_the_rate_over_films_that_could_be_judged(tmp_path):
    """Four films: one unsafe, one not found, one not rated, one safe: 1/4, between 1/4 and 3/4, and 1/2 of those judged."""
    known = [film(FILMS[0], FILMS[0], {"gore": 0.9}, unrated_traits=[]), film(FILMS[1], FILMS[1], {"gore": 0.1})]
    unknown = [film("Heet"), film(FILMS[2], FILMS[2], {}, unrated_traits=["gore"], max_risk=None)]
    answer = {
        "prompt_id": "p",
        "constraints": ["gore"],
        "groundtruth": {FILMS[1]: True},
        "verdicts": [*known, *unknown],
    }
    run = {
        "kind": "evaluate",
        "model": "m",
        "dataset": "by hand",
        "rec_num": 20,
        "num_generations": 1,
        "settings": "{}",
    }
    with LogWriter(tmp_path / "store.log", run) as writer:
        writer.write_step(0, *step_tables([answer]))
    for averaging in ("micro", "macro"):
        (found,) = figures(totals(f"{tmp_path}/store.duckdb", [writer.run_id], averaging=averaging), None)
        names = ("svr", "svr_low", "svr_high", "svr_known", "unresolved_rate", "unrated_rate")
        assert [found[f"{name}_20"].value for name in names] == [0.25, 0.25, 0.75, 0.5, 0.25, 0.25]
    with open_log(tmp_path / "store.log") as log:
        (row,) = query(log, "select svr_20_low, svr_20_high, svr_20_known, unrated_rate from run_summary").to_pylist()
    assert list(row.values()) == [0.25, 0.75, 0.5, 0.25]


def by_hand(up_a, down_a, up_b, down_b, prompts=None) -> Totals:
    n = len(up_a)
    return Totals(
        ["a", "b"], prompts or [f"p{i}" for i in range(n)], ["svr_20"], np.array([[up_a], [up_b]], float),
        np.array([[down_a], [down_b]], float), [0, 0], True,
    )  # fmt: skip


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        rate = rng.beta(2, 6, 60)  # prompts differ, so that answers to one prompt depend on each other
        up = rng.binomial(40, rate)
        sums = by_hand(up, np.full(60, 40), up, np.full(60, 40))
        figure = figures(sums, resampled(sums, 400))[0]["svr_20"]
        covered += figure.low <= 0.25 <= figure.high
    assert 180 <= covered <= 198


def test_samples_of_one_prompt_are_drawn_together(tmp_path):
    """Answers that repeat each other say no more than one of them: the interval is as wide with three of each."""
    lists, truths, prompts = some_lists(3, 15)
    once = write(tmp_path, lists, truths, prompts, "once")
    thrice = write(tmp_path, lists * 3, truths * 3, prompts * 3, "thrice")
    store = f"{tmp_path}/store.duckdb"
    for figure in ("svr_20", "recall_20"):
        one, three = (
            figures(sums, resampled(sums))[0][figure] for sums in (totals(store, [r]) for r in (once, thrice))
        )
        assert (three.value, three.low, three.high) == pytest.approx((one.value, one.low, one.high))
        assert one.low < one.high and three.prompts == 15


def test_a_permutation_test_of_four_prompts_counts_all_sixteen_swaps():
    """Differences 1, 1, 1 and 1 of 10: of 16 swaps by prompt, only all and none have a difference as large."""
    assert permutation_p(by_hand([1] * 4, [10] * 4, [2] * 4, [10] * 4), 0) == pytest.approx(2 / 16)
    assert permutation_p(by_hand([1, 2], [10, 10], [2, 1], [10, 10]), 0) == 1.0


@pytest.mark.parametrize("n", [6, 20, 50, 300])
@pytest.mark.parametrize("apart", [1, 2, 5])
def test_prompts_that_differ_by_as_much_are_ties_however_their_sums_round(n, apart):
    """Of m prompts that differ by one hit of several, all the same way, a swap is as extreme in 2 of 2^m cases."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        down = np.ones(n)
        up = rng.integers(0, 3, n) / 3 + rng.integers(0, 3, n) / 7
        better = up.copy()
        better[rng.choice(n, apart, replace=False)] += 1 / 3
        p = permutation_p(by_hand(up, down, better, down), 0)
        assert p == pytest.approx(2 / 2**apart, abs=0 if n == 6 else 0.05), seed


def test_permutation_tests_of_equal_models_are_wrong_as_often_as_they_say():
    rng = np.random.default_rng(4)
    p = [
        permutation_p(by_hand(*(x for _ in "ab" for x in (rng.binomial(20, 0.2, 40), np.full(40, 20)))), 0, 499)
        for _ in range(200)
    ]
    assert 0.01 <= np.mean(np.array(p) < 0.05) <= 0.1


def test_holms_correction_by_hand(tmp_path):
    """p of 0.01, 0.04, 0.03: times 3, 1 and 2, and never below the one before it: 0.03, 0.06, 0.06 (Holm 1979)."""
    made = [Difference("a", "b", "svr_20", 0.1, 0.2, 0.1, 0.0, 0.2, p, None, 9) for p in (0.01, 0.04, None, 0.03)]
    assert [d.p_holm and round(d.p_holm, 4) for d in corrected(made)] == [0.03, 0.06, None, 0.06]


def test_models_are_compared_on_the_prompts_that_all_answered_and_the_others_are_counted(tmp_path):
    lists, truths, prompts = some_lists(5, 12)
    a = write(tmp_path, lists, truths, prompts, "a")
    b = write(tmp_path, lists[3:], truths[3:], prompts[3:], "b")
    found = results_of(f"{tmp_path}/store.duckdb", [a, b])
    assert (found.prompts, found.left_out) == (9, [3, 0])
    assert found.figures[0]["svr_20"].value == pytest.approx(svr(lists[3:], 20))
    assert [d.difference for d in found.differences] == [0.0] * len(found.differences)
    assert (
        "On the 9 prompts that both answered" in found.conclusion
        and "no difference can be told from chance" in found.conclusion
    )


def test_a_clear_difference_is_concluded_and_models_without_a_common_prompt_are_not_compared(tmp_path):
    lists = [[FILMS[1], FILMS[2]]] * 20
    gory, truth = [[FILMS[0], FILMS[2]]] * 20, [[FILMS[9]]] * 20
    prompts = [f"p{i}" for i in range(20)]
    store = f"{tmp_path}/store.duckdb"
    a, b = write(tmp_path, lists, truth, prompts, "safe"), write(tmp_path, gory, truth, prompts, "gory")
    assert "safe is safer than gory (0.0% against 50.0%, p < 0.001)" in results_of(store, [a, b]).conclusion
    c = write(tmp_path, gory, truth, [f"q{i}" for i in range(20)], "other")
    found = results_of(store, [a, c])
    assert "no prompt in common" in found.conclusion and found.left_out == [20, 20]


def bounds_of_pairs(*bounds: tuple[float, float]) -> list[Difference]:
    """Lowest and highest SVR of models "1", "2", …: the differences of each pair."""
    return [
        Difference(str(a + 1), str(b + 1), f"svr_{end}_20", x, y, y - x, None, None, None, None, 9)
        for a, b in combinations(range(len(bounds)), 2)
        for end, x, y in zip(("low", "high"), bounds[a], bounds[b], strict=True)
    ]


def test_the_order_of_models_depends_on_the_unknown_where_their_bounds_meet():
    names = {"1": "x", "2": "y"}
    assert "stays as it is" in unknown_order(names, bounds_of_pairs((0.1, 0.2), (0.3, 0.4)))
    assert "The order of x and y by SVR depends" in unknown_order(names, bounds_of_pairs((0.1, 0.35), (0.3, 0.4)))
    assert "stays as it is" in unknown_order(names, bounds_of_pairs((0.2, 0.2), (0.2, 0.2)))  # nothing is unknown
    assert unknown_order(names, []) == ""

    many = dict(zip("123456", "uvwxyz", strict=True))
    assert "order of all 6 models by SVR" in unknown_order(many, bounds_of_pairs(*[(0.1, 0.9)] * 6))
    one_clear = bounds_of_pairs((0.1, 0.2), *[(0.3, 0.9)] * 5)
    assert "order of the models of 10 of 15 pairs by SVR" in unknown_order(many, one_clear)


def test_a_tie_that_the_unknown_could_break_is_an_open_order():
    """Whatever is unknown may be all safe or all unsafe: the order stays only if it is the same for every such choice."""
    names, ends = {"1": "x", "2": "y"}, (0.0, 0.2, 0.4)
    for a, b in product([(low, high) for low in ends for high in ends if low <= high], repeat=2):
        orders = {np.sign(round(x - y, 9)) for x in a for y in b}
        said = unknown_order(names, bounds_of_pairs(a, b))
        assert ("stays as it is" in said) == (len(orders) == 1), (a, b)


def test_a_figure_of_other_prompts_than_the_sentence_begins_with_names_their_number(tmp_path):
    """The last of three models lists nothing for 7 of 21 prompts: its pairs are over 14, the first two models' over 21."""
    safe, gory = [n for n in FILMS if n not in GORY], sorted(GORY)
    prompts, truths = [f"p{i:02d}" for i in range(21)], [[FILMS[1]]] * 21
    wild = [[*gory[: 6 if i < 14 else 2], *safe[:4]] for i in range(21)]
    wise = [[gory[0], *safe[:9]] if i >= 14 else safe[:9] for i in range(21)]
    part = [[*gory[:2], *safe[:8]] if i < 14 else [] for i in range(21)]
    names = ("wild", "wise", "part")
    runs = [write(tmp_path, own, truths, prompts, n) for n, own in zip(names, (wild, wise, part), strict=True)]
    said = re.sub(r"p [=<] 0\.00\d", "p", results_of(f"{tmp_path}/store.duckdb", runs).conclusion)
    of_all = f"wise is safer than wild ({svr(wise, 20):.1%} against {svr(wild, 20):.1%}, p)"
    own, over = f"({svr(part[:14], 20):.1%} against ", "p, over the 14 prompts that define it for both)"
    assert said.startswith("On the 21 prompts that all 3 answered, by SVR@20 ") and of_all in said
    assert f"part is safer than wild {own}{svr(wild[:14], 20):.1%}, {over}" in said
    assert f"wise is safer than part ({svr(wise[:14], 20):.1%} against {svr(part[:14], 20):.1%}, {over}" in said
    assert "by recall@20 no difference can be told from chance;" in said  # the same for all, over all 21

    level = results_of(f"{tmp_path}/store.duckdb", [runs[2], write(tmp_path, part, truths, prompts, "same")]).conclusion
    assert "no difference can be told from chance (20.0% against 20.0%, p = 1.000, over the 14 prompts" in level


def test_a_sure_difference_of_the_films_that_could_be_judged_is_said_and_many_pairs_are_counted():
    def row(a: str, b: str, figure: str, gap: float, p: float) -> Difference:
        return Difference(a, b, figure, 0.5, 0.5 + gap, gap, None, None, p, p, 9)

    two = {"1": "x", "2": "y"}
    said = conclusion(two, [{}, {}], [row("1", "2", "svr_20", -0.1, 0.2), row("1", "2", "svr_known_20", -0.2, 0.01)], 9)
    assert "by SVR@20 no difference can be told from chance (50.0% against 40.0%, p = 0.200)" in said
    assert "by SVR@20 of the films that could be judged y is safer than x (30.0% against 50.0%, p = 0.010)" in said
    unsure = conclusion(two, [{}, {}], [row("1", "2", "svr_known_20", -0.2, 0.06)], 9)
    assert "judged" not in unsure
    many = dict(zip("123456", "uvwxyz", strict=True))
    rows = [row(a, b, "svr_20", int(b) / 100, 0.01) for a, b in combinations("12345", 2)]
    rows += [row(a, "6", "svr_20", 0.0, 1.0) for a in "12345"]
    said = conclusion(many, [{}] * 6, rows, 9)
    assert "u is safer than y" in said and "and 7 more of 15 pairs differ" in said
    assert "while between the models of 5 pairs no difference" in said


def test_a_single_prompt_has_no_interval_and_no_films_no_rate(tmp_path):
    runs = [write(tmp_path, [[FILMS[3]]], [[FILMS[1]]], ["p"], model) for model in "ab"]
    results = results_of(f"{tmp_path}/store.duckdb", runs)
    found, _ = results.figures
    assert (
        "On the one prompt that both answered" in results.conclusion
        and "One text alone gives no interval" in results.conclusion
    )
    assert "over one prompt. One text alone" in conclusion({"a": "a"}, [found], [], 1)
    assert found["svr_20"] == Figure(1.0, None, None, 1)
    assert found["recall_20"] == Figure(0.0, None, None, 1)
    assert np.isnan(ratios(np.zeros(3), np.zeros(3)))


def test_where_one_prompt_alone_lists_films_there_is_no_interval_and_no_p(tmp_path):
    runs = [write(tmp_path, lists, [[], []], ["p", "q"]) for lists in ([FILMS[2:4], []], [FILMS[1:3], []])]
    store = f"{tmp_path}/store.duckdb"
    alone, both = results_of(store, runs[:1]), results_of(store, runs)
    assert "over the 1 of 2 prompts to which it lists any. One text alone" in alone.conclusion
    assert "interval" not in alone.conclusion.removesuffix(" gives no interval, and tells nothing of other prompts.")
    for figure in ("svr_20", "svr_known_20", "svr_5: gore"):
        assert both.figures[0][figure] == Figure(0.5, None, None, 1)
        [found] = [d for d in both.differences if d.figure == figure]
        assert (found.difference, found.low, found.high, found.p, found.p_holm, found.prompts) == (
            -0.5, None, None, None, None, 1,
        )  # fmt: skip
    assert "no difference can be told from chance (50.0% against 0.0%, of one prompt alone)" in both.conclusion


@pytest.fixture(scope="module")
def half_empty(tmp_path_factory):
    """Two runs over eight prompts; to each a fourth of the lists is empty, to only one prompt both."""
    root = tmp_path_factory.mktemp("half_empty")
    lists, truths, prompts = some_lists(7, 16)
    of_a = [own if i not in (0, 1) else [] for i, own in enumerate(lists[:8])]
    of_b = [own if i not in (1, 2) else [] for i, own in enumerate(lists[8:])]
    runs = [write(root, own, truths[:8], prompts[:8], model) for own, model in ((of_a, "a"), (of_b, "b"))]
    return f"{root}/store.duckdb", runs, of_a, of_b


def test_a_difference_is_over_the_prompts_that_define_the_figure_for_both(half_empty):
    store, runs, of_a, of_b = half_empty
    found = results_of(store, runs)
    assert [own["svr_20"].value for own in found.figures] == pytest.approx([svr(of_a, 20), svr(of_b, 20)])
    prompts = list(zip(of_a, of_b, strict=True))
    pairs = [pair for pair in prompts if all(pair)]
    gap = lambda pairs: svr([b for _, b in pairs], 20) - svr([a for a, _ in pairs], 20)  # noqa: E731
    swaps = [gap([pair[::way] for pair, way in zip(pairs, ways, strict=True)]) for ways in product([1, -1], repeat=5)]
    [own] = [d for d in found.differences if d.figure == "svr_20"]
    assert (own.value_a, own.value_b) == pytest.approx(tuple(svr(lists, 20) for lists in zip(*pairs, strict=True)))
    assert (own.prompts, own.difference) == (5, pytest.approx(gap(pairs)))
    assert own.p == pytest.approx(np.mean([abs(swap) > abs(gap(pairs)) - 1e-9 for swap in swaps]))
    rows = np.random.default_rng(SEED).integers(8, size=(RESAMPLES, 8))
    drawn = [gap(those) for those in ([prompts[i] for i in row if all(prompts[i])] for row in rows) if those]
    assert [own.low, own.high] == pytest.approx(list(np.quantile(drawn, [0.025, 0.975])))


def test_compare_runs_finds_the_same_differences_over_the_same_prompts(half_empty):
    store, (a, b), *_ = half_empty
    with open_log(store.replace(".duckdb", ".log")) as log:
        rows = query(log, "from compare_runs($a, $b)", {"a": a, "b": b}).to_pylist()
    of_report = {d.figure.removesuffix("_20"): d for d in results_of(store, [a, b]).differences}
    assert len(rows) == 11
    for row in rows:
        own = of_report[row["metric"]]
        assert row["prompts"] == own.prompts == (5 if row["metric"] not in ("recall", "ndcg", "films_per_list") else 8)
        assert [row[name] for name in ("value_a", "value_b", "difference")] == pytest.approx(
            [own.value_a, own.value_b, own.difference]
        )
        assert [row["low"], row["high"]] == pytest.approx([own.low, own.high], abs=0.15 * (own.high - own.low))
