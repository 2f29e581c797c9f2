"""One text may stand in a dataset several times, with other constraints and other ids, and lists go on beyond rank K."""

import pyarrow as pa
import pytest

from oracle.base.resources import read_sql
from oracle.log import LogWriter, ask, open_log, query
from tests.tiny_log import JAWS, NOTHING, SAW, film, step_tables

UNSAFE = {**SAW, "hit": False, "status": "unsafe", "r_safe": -1.0}
SAFE = {**JAWS, "status": "safe"}
FREE = {**film("Saw", "tt0387564"), "status": "safe", "hit": True}
HOSTEL = {
    **UNSAFE,
    "imdb_id": "tt0450278",
    "matched_title": "Hostel",
    "match_score": 0.9,
    "max_risk": 0.68,
    "hit": True,
}
BEYOND = [HOSTEL, {**film("Zzyzx"), "status": "unresolved"}]
TEXTS = 30


def write_run(root, free: list[dict] | None) -> str:
    """K is 2. Each text is asked without constraints, which `free` answers (null: nobody), and by someone who wants no gore."""
    answers, ids = [], []
    for number in range(TEXTS):
        asked = {"prompt_id": f"text {number}", "groundtruth": {"Saw": True}}
        if free is not None:
            answers.append({**asked, "constraints": [], "verdicts": free})
            ids.append(f"{number}-free")
        answers.append({**asked, "constraints": ["gore"], "verdicts": [SAFE, UNSAFE, *BEYOND]})
        ids.append(f"{number}-gore")
    completions, verdicts = step_tables(answers)
    settings = {"kind": "evaluate", "model": "m", "dataset": "d", "rec_num": 2, "num_generations": 1}
    with LogWriter(root, settings) as writer:
        writer.write_step(0, completions.append_column("dataset_id", pa.array(ids)), verdicts)
    return writer.run_id


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    root = tmp_path_factory.mktemp("same") / "store.log"
    runs = write_run(root, [FREE, SAFE]), write_run(root, [SAFE, SAFE, FREE])
    with open_log(root) as connection:
        yield connection, *runs


def test_runs_are_compared_by_the_constrained_answers_to_a_text(log):
    connection, a, b = log
    for _ in range(5):
        rows = query(connection, "from compare_runs($a, $b)", {"a": a, "b": b}).to_pylist()
        found = {row["metric"]: (row["prompts"], row["value_a"], row["value_b"]) for row in rows}
        assert found["svr"] == (TEXTS, 0.5, 0.5) and found["recall"] == (TEXTS, 0.5, 0)
    [summed] = query(connection, "select distinct svr_20 from run_summary").to_pylist()
    assert summed == {"svr_20": 0.5}


def test_answers_to_a_text_are_compared_with_those_under_constraints_too_and_no_others(tmp_path):
    both, constrained = write_run(tmp_path, [FREE, SAFE]), write_run(tmp_path, None)
    with open_log(tmp_path) as connection:
        for pair in ({"a": both, "b": constrained}, {"a": constrained, "b": both}):
            rows = query(connection, "from compare_runs($a, $b)", pair).to_pylist()
            assert {row["prompts"] for row in rows} == {TEXTS} and {row["difference"] for row in rows} <= {0, None}


def test_recall_is_compared_over_the_prompts_that_have_ground_truth_in_both_runs(tmp_path):
    """As where a run is judged again by another catalog: of the answers to B and C nothing is wanted any more."""
    runs = []
    for wanted_later in ({"Saw": True}, {}):
        asked = [("A", {"Saw": True}, True), ("B", wanted_later, False), ("C", wanted_later, False)]
        answers = [
            {"prompt_id": name, "constraints": [], "groundtruth": wanted, "verdicts": [{**FREE, "hit": hit}]}
            for name, wanted, hit in asked
        ]
        with LogWriter(tmp_path, {"kind": "evaluate", "model": "m", "rec_num": 2, "num_generations": 1}) as writer:
            writer.write_step(0, *step_tables(answers))
        runs.append(writer.run_id)
    with open_log(tmp_path) as connection:
        for a, b in (runs, runs[::-1]):
            rows = query(connection, "from compare_runs($a, $b)", {"a": a, "b": b}).to_pylist()
            found = {row["metric"]: (row["prompts"], row["value_a"], row["value_b"], row["ties"]) for row in rows}
            assert found["recall"] == found["ndcg"] == (1, 1, 1, 1)


def test_a_constraint_that_is_named_twice_is_one(tmp_path):
    with LogWriter(tmp_path, {"kind": "evaluate", "model": "m", "rec_num": 2, "num_generations": 1}) as writer:
        answer = {"prompt_id": "A", "constraints": ["gore", "gore"], "groundtruth": {}, "verdicts": [UNSAFE]}
        writer.write_step(1, *step_tables([answer]))
    with open_log(tmp_path) as connection:
        by_trait = query(connection, "select lists, films, violations from trait_breakdown").to_pylist()
        runs = {"runs": [writer.run_id], "positions": "emitted"}
        of_report = query(connection, read_sql("log/evaluation_traits"), runs).to_pylist()
    assert by_trait == [{"lists": 1, "films": 1, "violations": 1}]
    assert {(row["films"], row["violations"]) for row in of_report} == {(1, 1)}


def test_the_interval_of_one_prompt_is_not_known(tmp_path):
    runs = []
    for verdicts in ([SAFE], [UNSAFE]):
        with LogWriter(tmp_path, {"kind": "evaluate", "model": "m", "rec_num": 2, "num_generations": 1}) as writer:
            answer = {"prompt_id": "A", "constraints": ["gore"], "groundtruth": {}, "verdicts": verdicts}
            writer.write_step(0, *step_tables([answer]))
            runs.append(writer.run_id)
    with open_log(tmp_path) as connection:
        svr, *_ = query(connection, "from compare_runs($a, $b)", dict(zip("ab", runs, strict=True))).to_pylist()
    assert (svr["prompts"], svr["difference"], svr["low"], svr["high"]) == (1, 1, None, None)


def test_a_prompt_without_films_in_one_run_is_no_tie_and_has_no_part_in_rates(tmp_path):
    """To A both list films, to B only the first run, to C neither."""
    runs = []
    for lists in ([[SAFE], [UNSAFE], [NOTHING]], [[UNSAFE], [NOTHING], [NOTHING]]):
        with LogWriter(tmp_path, {"kind": "evaluate", "model": "m", "rec_num": 2, "num_generations": 1}) as writer:
            asked = [{"prompt_id": prompt, "constraints": ["gore"], "groundtruth": {}} for prompt in "ABC"]
            answers = [{**answer, "verdicts": listed} for answer, listed in zip(asked, lists, strict=True)]
            writer.write_step(0, *step_tables(answers))
            runs.append(writer.run_id)
    with open_log(tmp_path) as connection:
        rows = query(connection, "from compare_runs($a, $b)", dict(zip("ab", runs, strict=True))).to_pylist()
    assert {row.pop("k") for row in rows} == {2}
    found = {row.pop("metric"): tuple(row.values()) for row in rows}
    one_prompt = (1, 0, 1, 1, None, None, 1, 0, 0)  # prompts, a, b, difference, its interval, higher, lower, ties
    assert {found[name] for name in ("svr", "svr_low", "svr_high", "svr_known")} == {one_prompt}
    assert found["duplicate_rate"] == (1, 0, 0, 0, None, None, 0, 0, 1)
    assert found["films_per_list"][0] == 3 and "recall" not in found


def test_the_hardest_prompts_count_each_film_once_and_none_beyond_k(log):
    connection, a, _ = log
    rows = ask(connection, "hardest_prompts", run=a).to_pylist()
    assert {(row["lists"], row["films"], row["violations"], row["hits"]) for row in rows} == {(1, 2, 1, 0)}
    assert len({row["prompt_id"] for row in rows}) == len(rows) == TEXTS
    assert all(row["dataset_id"].endswith("gore") for row in rows)


def test_films_beyond_k_are_no_hits_violations_or_doubts_of_an_answer_and_a_run(log):
    connection, _, b = log
    groups = query(connection, read_sql("app/groups"), {"run": b, "step": 0}).to_pylist()
    answers = query(connection, read_sql("app/answers"), {"run": b, "step": 0, "group": 0}).to_pylist()
    assert {row["hits"] for row in (*groups, *answers)} == {0} and {row["violations"] for row in groups} == {0, 1}
    times = {row["title"]: row["times"] for row in ask(connection, "most_recommended", run=b).to_pylist()}
    assert times == {"Saw": TEXTS, "Jaws": 3 * TEXTS}
    assert not ask(connection, "unsafe_hits", run=b).num_rows
    assert [row["title"] for row in ask(connection, "near_the_threshold", run=b).to_pylist()] == ["Jaws"]
    [doubtful] = ask(connection, "doubtful_matches", run=b).to_pylist()
    assert (doubtful["matched_title"], doubtful["times"], doubtful["violations"]) == ("Hostel", TEXTS, 0)


def test_the_violations_of_a_run_are_those_of_its_traits_and_end_at_k(log):
    connection, a, _ = log
    asked = "select trait, {} as violations from {} where run_id = $run group by trait"
    for what in (("count(*)", "violations"), ("sum(violations)::bigint", "trait_breakdown")):
        assert query(connection, asked.format(*what), {"run": a}).to_pylist() == [
            {"trait": "gore", "violations": TEXTS}
        ]
    assert [row["violations"] for row in ask(connection, "worst_traits", run=a).to_pylist()] == [TEXTS]


def test_where_two_models_differ_each_text_stands_with_its_constraints_and_up_to_k(log):
    connection, a, b = log
    rows = query(connection, read_sql("app/differing_prompts"), {"run": a, "other": b}).to_pylist()
    assert len(rows) == len({row["name"] for row in rows}) == 2 * TEXTS
    counts = {
        (*row["constraints"], *(row[f"{side}_{name}"] for side in "ab" for name in ("films", "violations", "hits")))
        for row in rows
    }
    assert counts == {("gore", 2, 1, 0, 2, 1, 0), (2, 0, 1, 2, 0, 0)}
    groups = {row["a_group"] for row in rows if row["constraints"]}
    assert groups == set(range(1, 2 * TEXTS, 2))


def test_all_answers_to_a_text_count_where_two_models_differ_and_the_worst_is_shown(tmp_path):
    """One run answers text A three times, with 1, 2 and 2 unsafe films of 3, the other twice with none; B is safe in both."""

    def write(k: int, **lists: list[list[dict]]) -> str:
        asked = {"constraints": ["gore"], "groundtruth": {"Saw": True}}
        answers = [asked | {"prompt_id": p, "verdicts": listed} for p, of in lists.items() for listed in of]
        row = {"kind": "evaluate", "model": "m", "dataset": "d", "rec_num": k, "num_generations": 1}
        with LogWriter(tmp_path, row) as writer:
            writer.write_step(0, *step_tables(answers))
        return writer.run_id

    one, safe = [SAFE, UNSAFE, {**SAFE, "hit": True}], [SAFE] * 3
    a = write(4, A=[[*one, UNSAFE], [UNSAFE, UNSAFE, SAFE], [SAFE, UNSAFE, UNSAFE]], B=[safe])
    b = write(3, B=[safe], A=[safe, safe])
    with open_log(tmp_path) as log:
        for run, other, sides in ((a, b, "ab"), (b, a, "ba")):
            rows = query(log, read_sql("app/differing_prompts"), {"run": run, "other": other}).to_pylist()
            assert [row["name"] for row in rows] == ["A", "B"]
            shown = [
                [rows[0][f"{side}_{name}"] for name in ("step", "group", "groups", "films", "violations", "hits")]
                for side in sides
            ]
            assert shown == [[0, 1, 3, 9, 5, 1], [0, 1, 2, 6, 0, 0]]
            [svr] = query(log, f"from compare_runs('{run}', '{other}') where metric = 'svr'").to_pylist()
            assert [svr[f"value_{side}"] for side in sides] == [5 / 12, 0]


@pytest.mark.parametrize("name", ["films", "violations", "unknown"])
def test_what_a_report_lists_ends_at_k(log, name):
    connection, a, _ = log
    params = {"runs": [a], "most": 10}
    rows = query(connection, read_sql(f"log/evaluation_{name}"), {**params, "k": 20}).to_pylist()
    assert not query(connection, read_sql(f"log/evaluation_{name}"), {**params, "k": 1}).num_rows
    assert [row.get("times", row.get("rank")) for row in rows] == {
        "films": [TEXTS],
        "violations": [2],
        "unknown": [],
    }[name]
