"""The named queries, the headers of the SQL, and what holds for views over any log."""

import json
import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import numpy as np
import pytest

from oracle import UserError
from oracle.base.resources import read_sql
from oracle.log import LogWriter, ask, ask_about, ask_sql, compact, delete_run, named_queries, open_log, query
from oracle.log.empty import ensure_schema
from tests.synthetic_log import write_run
from tests.tiny_log import RUN, SAW, STEP_1, A, film, step_tables

SQL = files("sql")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    root = tmp_path_factory.mktemp("log")
    write_run(root, steps=3, prompts=3, kind="evaluate", num_generations=1)
    write_run(root, steps=6, prompts=3, seed=1, advantage_mode="grpo")
    write_run(root, steps=6, prompts=3, seed=2, lambda_end=0.5, unresolved="ignore")
    with open_log(root) as connection:
        yield connection


@pytest.mark.parametrize("name", named_queries())
def test_a_named_query_answers_its_question(log, name):
    named = named_queries()[name]
    assert named.title and not named.title.startswith("SET")
    rows = ask(log, name)
    assert rows.num_columns > 1
    assert rows.num_rows > 0 or name in ("rederivation", "evasion")
    if "run" in named.variables and named.variables != ("run",):
        of_trained = "select arg_max(run_id, run_order(started_at, run_id)) from runs where kind = 'train'"
        (trained,) = log.sql(of_trained).fetchall()[0]
        assert ask(log, name, run=trained) is not None
        with pytest.raises(UserError, match="no run 'no such run' in this log: it has 2"):
            ask(log, name, run="no such run")
        assert ask(log, name).num_rows == rows.num_rows  # what a call chose is forgotten after it


@pytest.mark.parametrize("name", named_queries())
def test_a_named_query_runs_in_the_shell_as_it_is(log, name):
    assert log.sql(named_queries()[name].sql).to_arrow_table().num_columns > 1


def test_an_unknown_query_and_an_unknown_variable_are_told():
    with pytest.raises(UserError, match="no query 'worst': there are answer_explained"):
        ask(None, "worst")
    with pytest.raises(UserError, match="worst_films can't be asked about a step: it can about run"):
        ask(None, "worst_films", step=1)


def test_a_step_is_one_of_the_run_that_is_asked_about_and_a_completion_one_of_the_step(log):
    (evaluation,) = log.sql("select run_id from runs where kind = 'evaluate'").fetchall()[0]
    assert ask(log, "rederivation", run=evaluation, step=3).num_columns > 1
    assert ask_about(log, "rederivation", run=evaluation)[1] == {"run": evaluation, "step": 3}
    with pytest.raises(UserError, match=f"run {evaluation} has no step 4 in this log: its 3 are 1 to 3"):
        ask(log, "rederivation", run=evaluation, step=4)
    with pytest.raises(UserError, match=f"run {evaluation}, step 3, has no completion 3 in this log: its 3 are 0 to 2"):
        ask(log, "answer_explained", run=evaluation, completion=3)
    assert ask(log, "answer_explained", step=6).num_rows  # of the newest training run


def test_hits_that_are_unsafe_as_they_were_not_found_are_told_by_name(tmp_path):
    lost = {"hit": True, "status": "unresolved", "is_safe": False, "r_rel": 1.0, "r_safe": -1.0}
    answer = {**A, "verdicts": [film("Heet", **lost), film("Allien", **lost), SAW]}
    with LogWriter(tmp_path, {**RUN, "unresolved": "violation"}) as writer:
        writer.write_step(1, *step_tables([answer, {**A, "verdicts": [film("Heet", **lost)]}]))
    with open_log(tmp_path) as log:
        told = [(row["title"], row["year"], row["times"]) for row in ask(log, "unsafe_hits").to_pylist()]
    assert told == [("Heet", 2000, 2), ("Allien", 2000, 1), ("Saw", 2000, 1)]


def test_every_answer_counts_alike_in_the_means_by_rank_however_many_its_step_has(tmp_path):
    """Step 1 has four groups of two answers, one of them punished; step 2 has one group, of which one answer is."""
    safe = film("Jaws", "tt1", {"gore": 0.1}, r_rel=0.5, hit=True, r_total=0.5)
    saw = {**SAW, "hit": False, "r_rel": 0.0, "r_total": -1.0}
    saw, above = {**saw, "advantage": -0.7}, {**safe, "advantage": 0.7}
    steps = [[saw, above, *[safe] * 6], [saw, above]]
    with LogWriter(tmp_path, RUN | {"rec_num": 1}) as writer:
        for step, listed in enumerate(steps, start=1):
            writer.write_step(step, *step_tables([{**A, "verdicts": [verdict]} for verdict in listed]))
    with open_log(tmp_path) as log:
        [ranks], [silent] = (ask(log, name).to_pylist() for name in ("penalties_by_rank", "no_signal"))
        [page] = query(log, read_sql("app/rank_totals"), {"run": writer.run_id}).to_pylist()
    every = [verdict for listed in steps for verdict in listed]
    mean = {name: sum(verdict[name] for verdict in every) / 10 for name in ("r_safe", "r_rel", "r_total")}
    assert (ranks["violation_rate"], ranks["no_signal_rate"]) == pytest.approx((2 / 10, 3 / 5))
    assert (ranks["mean_penalty"], ranks["mean_hit_reward"]) == pytest.approx((mean["r_safe"], mean["r_rel"]))
    assert (page["penalty"], page["hit_reward"]) == pytest.approx((mean["r_safe"], mean["r_rel"]))
    assert (silent["no_signal_rate"], silent["mean_reward"]) == pytest.approx((3 / 5, mean["r_total"]))


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13, 31])
def test_the_first_and_the_last_steps_of_a_run_are_as_many_and_never_the_same(tmp_path, steps):
    """Step n has n answers, one of them unsafe; the last step alone is asked to avoid animals too."""
    safe, both = film("Jaws", "tt1", {"gore": 0.1}), film("Web", "tt2", {"gore": 0.9, "animals": 0.9})
    with LogWriter(tmp_path, RUN | {"rec_num": 1, "num_generations": 1}) as writer:
        for step in range(1, steps + 1):
            traits = ["gore", "animals"] if step == steps else ["gore"]
            unsafe = both if step == steps else SAW
            asked = {"prompt_id": "p", "constraints": traits, "groundtruth": {}}
            writer.write_step(step, *step_tables([asked | {"verdicts": [v]} for v in [unsafe] + [safe] * (step - 1)]))
    with open_log(tmp_path) as log:
        traits = {
            row["trait"]: row for row in query(log, read_sql("app/traits_of_run"), {"run": writer.run_id}).to_pylist()
        }
        tenths = ask(log, "first_and_last_steps").to_pylist()
    third, tenth = max(1, steps // 3), max(1, steps // 10)
    first, last = range(1, third + 1), range(steps - third + 1, steps + 1)
    expected = [third / sum(first), third / sum(last)] if steps > 1 else [None, None]
    assert [traits["gore"]["first_rate"], traits["gore"]["last_rate"]] == pytest.approx(expected)
    of_last = [traits["animals"]["first_rate"], traits["animals"]["last_rate"]]
    assert of_last == [None, pytest.approx(1 / steps) if steps > 1 else None]
    spans = [("first", 1, tenth), ("last", steps - tenth + 1, steps)][: 1 if steps == 1 else 2]
    assert [(row["part"], row["from_step"], row["to_step"]) for row in tenths] == spans


def test_no_rate_of_any_view_is_outside_0_to_1(log):
    for view in ("step_curves", "rank_penalties", "run_summary", "trait_breakdown", "evasion_signals"):
        rates = [c for c in log.table(view).columns if re.search("rate|svr|recall_|ndcg|catalog_match|^recall$", c)]
        rates = [c for c in rates if "lists" not in c]
        assert rates
        outside = " or ".join(f"{c} not between 0 and 1" for c in rates)
        assert log.sql(f"select * from {view} where {outside}").fetchall() == [], view


def test_sums_over_views_are_sums_over_verdicts(log):
    expected = log.sql(
        """select run_id, count(*) filter (not is_safe and rank <= rec_num), count(title) filter (rank <= rec_num)
           from verdicts join runs using (run_id) where constrained group by 1 order by 1"""
    ).fetchall()
    found = log.sql(
        """select run_id, sum(violations)::bigint, sum(films)::bigint from rank_sums join runs using (run_id)
           where constrained and rank <= rec_num group by 1 order by 1"""
    ).fetchall()
    assert found == expected
    per_trait = log.sql("select run_id, trait, count(*) from violations group by all")
    broken_down = (
        "select run_id, trait, sum(violations)::bigint from trait_breakdown group by all having sum(violations) > 0"
    )
    assert set(per_trait.fetchall()) == set(log.sql(broken_down).fetchall())


def test_bootstrap_intervals_are_those_that_numpy_finds(tmp_path):
    run_a = write_run(tmp_path, steps=1, prompts=300, num_generations=1, kind="evaluate", seed=1)
    run_b = write_run(tmp_path, steps=1, prompts=300, num_generations=1, kind="evaluate", seed=2)
    with open_log(tmp_path) as log:
        rows = {row["metric"]: row for row in query(log, f"from compare_runs('{run_a}', '{run_b}')").to_pylist()}
        a, b = (
            log.sql("select * from prompt_totals(?, null, ?, null) order by prompt_id", params=pair).fetchnumpy()
            for pair in ((run_a, run_b), (run_b, run_a))
        )
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(a["prompt_id"]), size=(4000, len(a["prompt_id"])))
    for metric, up, down in (
        ("svr", "violations", "constrained_films"), ("svr_known", "unsafe", "judged"), ("recall", "recall", "one"), ("ndcg", "ndcg", "one"),
        ("films_per_list", "films_any", "lists"), ("duplicate_rate", "repeated", "films"),
        ("svr_low", "unsafe", "constrained_films"), ("unrated_rate", "unrated", "constrained_films"), ("ambiguous_rate", "ambiguous", "films"),
    ):  # fmt: skip
        of_both = np.logical_and(*(np.ma.filled(table[down], 0) > 0 for table in (a, b)))
        assert rows[metric]["prompts"] == of_both.sum() and (metric == "films_per_list" or not of_both.all())

        def over(resample, table, up=up, down=down, of_both=of_both):
            sums = (np.where(of_both, np.ma.filled(table[name].astype(float), 0), 0)[resample] for name in (up, down))
            return np.divide(*(values.sum(axis=-1) for values in sums))

        differences = over(drawn, b) - over(drawn, a)
        low, high = np.quantile(differences, [0.025, 0.975])
        everybody = np.arange(len(a["prompt_id"]))
        assert rows[metric]["difference"] == pytest.approx(over(everybody, b) - over(everybody, a)), metric
        assert [rows[metric]["low"], rows[metric]["high"]] == pytest.approx([low, high], abs=0.1 * (high - low)), metric
    with open_log(tmp_path) as log:
        for of_run in query(log, "select run_id, svr_20_low, svr_20_high, unrated_rate from run_summary").to_pylist():
            itself = query(log, "from compare_runs($run, $run, resamples := 1)", {"run": of_run["run_id"]}).to_pylist()
            values = {row["metric"]: row["value_a"] for row in itself}
            compared = [values[metric] for metric in ("svr_low", "svr_high", "unrated_rate")]
            assert compared == pytest.approx([of_run["svr_20_low"], of_run["svr_20_high"], of_run["unrated_rate"]])


def test_merging_steps_changes_no_figure(tmp_path):
    run = write_run(tmp_path, steps=5, prompts=3, lambda_end=0.3)
    views = (
        "rollouts",
        "verdicts",
        "step_curves",
        "rank_penalties",
        "run_summary",
        "trait_breakdown",
        "evasion_signals",
    )
    with open_log(tmp_path) as log:
        before = {view: log.sql(f"from {view} order by all").fetchall() for view in views}
        assert compact(tmp_path, run, grace_s=0.0).steps_merged == 5
        after = {view: log.sql(f"from {view} order by all").fetchall() for view in views}
        assert ask(log, "answer_explained", step=3, completion=1).num_rows
        with pytest.raises(UserError, match="has no step 6 in this log: its 5 are 1 to 5"):
            ask(log, "rederivation", step=6)
    for view in views:
        assert len(after[view]) == len(before[view]) > 0
        for new, old in zip(after[view], before[view], strict=True):
            assert [round(x, 9) if isinstance(x, float) else x for x in new] == [
                round(x, 9) if isinstance(x, float) else x for x in old
            ]


def test_every_sql_file_says_what_it_is():
    for folder in ("views", "queries"):
        for file in (SQL / folder).iterdir():
            first = file.read_text().splitlines()[0]
            assert first.startswith("-- ") and len(first) > 20, file.name
    for file in (SQL / "views").iterdir():
        assert "grain" in file.read_text().lower(), f"{file.name} doesn't say what one row is"


def test_every_view_can_be_queried_by_run_alone(log):
    views = [v for (v,) in log.sql("select view_name from duckdb_views() where not internal").fetchall()]
    (run,) = log.sql("select max(run_id) from runs").fetchall()[0]
    for view in views:
        assert query(log, f"select count(*) from {view} where run_id = ?", [run]).num_rows == 1


def test_a_variable_that_the_connection_has_set_chooses_and_stays(log):
    oldest, *_, newest = (
        run
        for (run,) in log.sql(
            "select run_id from runs where kind = 'train' order by run_order(started_at, run_id)"
        ).fetchall()
    )
    log.execute("set variable run = ?", [oldest])
    try:
        for _ in range(2):
            assert ask_about(log, "worst_traits")[1] == {"run": oldest}
            assert ask(log, "rederivation")["run_id"].to_pylist() in ([], [oldest])
            assert ask_sql(log, "select chosen_run() as it")["it"].to_pylist() == [oldest]
            assert ask_sql(log, "select chosen_run() as it", run=newest)["it"].to_pylist() == [newest]
        log.execute("set variable step = 99")  # of another run, or of none: it is read by who asks about a step
        assert ask(log, "runs").num_rows > 2 and ask(log, "worst_traits", run=newest).num_columns > 1
        assert ask_sql(log, "select 1 as it")["it"].to_pylist() == [1]
        assert ask(log, "rederivation", run=newest).num_columns > 1
        with pytest.raises(UserError, match="has no step 99 in this log"):
            ask(log, "rederivation")
        log.execute("reset variable step")
        log.execute("set variable run = 'none'")
        assert ask(log, "runs").num_rows > 2
        with pytest.raises(UserError, match="no run 'none' in this log"):
            ask(log, "worst_traits")
    finally:
        log.execute("reset variable run")
    assert ask_sql(log, "select chosen_run() as it")["it"].to_pylist() == [newest]


def test_two_runs_of_unlike_k_are_compared_over_the_ranks_that_both_have_and_never_beyond_20(tmp_path):
    """A is unsafe at rank 21, B at rank 2, and C lists one film."""
    runs = {}
    safe, unsafe = film("Up", "tt1", {"gore": 0.1}), film("Saw", "tt2", {"gore": 0.9}, is_safe=False)
    lists = {"A": [*[safe] * 20, unsafe], "B": [safe, unsafe, *[safe] * 19], "C": [safe]}
    for model, listed in lists.items():
        row = RUN | {"kind": "evaluate", "model": model, "rec_num": len(listed), "num_generations": 1}
        with LogWriter(tmp_path, row) as writer:
            asked = {"prompt_id": "p", "constraints": ["gore"], "groundtruth": {}, "verdicts": listed}
            writer.write_step(0, *step_tables([asked]))
            runs[model] = writer.run_id
    with open_log(tmp_path) as log:
        for (one, other), k, svr in (
            ("AB", 20, (0, 0.05)),
            ("BA", 20, (0.05, 0)),
            ("AC", 1, (0, 0)),
            ("CB", 1, (0, 0)),
        ):
            [row] = query(
                log, "from compare_runs($a, $b) where metric = 'svr'", {"a": runs[one], "b": runs[other]}
            ).to_pylist()
            assert (row["k"], (row["value_a"], row["value_b"])) == (k, svr), (one, other)


def test_the_newest_run_is_the_one_that_began_last_whatever_the_names_of_two_of_one_second_say(tmp_path):
    began = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    for kind in ("train", "evaluate"):
        for nth, end in enumerate(("ffff", "8888", "0000")):
            row = RUN | {
                "kind": kind,
                "model": f"{kind} {nth}",
                "started_at": began + timedelta(milliseconds=200 * nth),
            }
            with LogWriter(tmp_path, row) as writer:
                pass
            (tmp_path / writer.run_id).rename(tmp_path / f"20260101-12000{len(kind) - 5}-{end}")
    with open_log(tmp_path) as log:
        chosen = query(
            log, "select chosen_run() as it union all select chosen_later_run() union all select chosen_other_run()"
        )
        models = dict(log.sql("select run_id, model from runs").fetchall())
        assert [models[run] for run in chosen["it"].to_pylist()] == ["train 2", "evaluate 2", "evaluate 1"]
        for rows in (ask(log, "runs"), query(log, read_sql("app/picker"))):
            assert [models[run] for run in rows["run_id"].to_pylist()] == [
                f"{kind} {nth}" for nth in (2, 1, 0) for kind in ("evaluate", "train")
            ]


def begun(log_root, nth: int, kind: str, again: str | None = None) -> str:
    """A run that began as the nth, with an answer; `again`: the run that it judges again."""
    of = {"settings": json.dumps({"rejudged_from": again})} if again else {}
    with LogWriter(
        log_root, RUN | of | {"kind": kind, "started_at": datetime(2026, 1, 1, 12, nth, tzinfo=UTC)}
    ) as writer:
        writer.write_step(1, *step_tables(STEP_1))
    return writer.run_id


@pytest.mark.parametrize("name", ["compare_with_previous", "answer_explained", "changed_verdicts", "rederivation"])
def test_a_named_query_is_of_one_run_and_step_whatever_comes_while_they_are_chosen(tmp_path, monkeypatch, name):
    kind = "evaluate" if "other_run" in named_queries()[name].variables else "train"
    runs = [begun(tmp_path, nth, kind) for nth in (1, 2)]

    def asked(connection, sql, *args, **named):
        if sql.startswith("select needed_other_run()") or sql.startswith("select chosen_step()"):
            with LogWriter(tmp_path, RUN | {"kind": kind, "started_at": datetime(2026, 1, 1, 13, tzinfo=UTC)}) as later:
                later.write_step(7, *step_tables(STEP_1))
            runs.append(later.run_id)
        return query(connection, sql, *args, **named)

    with open_log(tmp_path) as log:
        expected, about = ask_about(log, name)
        assert about["run"] == runs[1] and about.get("other_run", runs[0]) == runs[0]
        monkeypatch.setattr("oracle.log.queries.query", asked)
        rows, then = ask_about(log, name)
        assert len(runs) == 3 and then == about and rows.equals(expected)


def test_a_step_that_is_given_is_one_of_the_run_that_is_asked_whatever_run_begins_behind_the_check(
    tmp_path, monkeypatch
):
    first = begun(tmp_path, 1, "train")

    def asked(connection, sql, *args, **named):
        rows = query(connection, sql, *args, **named)
        if "as is_one" in sql:  # the check
            with LogWriter(tmp_path, RUN | {"started_at": datetime(2026, 1, 1, 13, tzinfo=UTC)}) as later:
                later.write_step(7, *step_tables(STEP_1))
        return rows

    of_it = "select run_id from verdicts where run_id = chosen_run() and step = chosen_step() and completion = getvariable('completion')"
    with open_log(tmp_path) as log:
        monkeypatch.setattr("oracle.log.queries.query", asked)
        rows, about = ask_about(log, "answer_explained", step=1, completion=1)
        assert rows.num_rows and about == {"run": first, "step": 1, "completion": 1}
    for later in {run.name for run in tmp_path.glob("2*")} - {first}:
        delete_run(tmp_path, later)
    with open_log(tmp_path) as log:
        assert {*ask_sql(log, of_it, completion=1)["run_id"].to_pylist()} == {first}


def test_a_run_is_compared_with_one_that_is_in_the_log_or_refused_in_a_line(tmp_path):
    compares = [name for name, named in named_queries().items() if "other_run" in named.variables]
    assert len(compares) >= 2
    ensure_schema(tmp_path)
    with open_log(tmp_path) as log:
        assert [ask(log, name).num_rows for name in compares] == [0] * len(compares)  # of a log without runs
    first = begun(tmp_path, 1, "evaluate")
    again = begun(tmp_path, 2, "evaluate", again=first)

    def refusals() -> set[str]:
        told = set()
        with open_log(tmp_path) as log:
            for name in compares:
                for asking in (lambda: ask(log, name), lambda: query(log, named_queries()[name].sql)):  # noqa: B023
                    with pytest.raises(
                        UserError, match=r"name the run to compare with \(--other-run; in SQL"
                    ) as refused:
                        asking()
                    told.add(str(refused.value).removeprefix("Invalid Input Error: ").partition(": name")[0])
                assert ask(log, name, other_run=again) is not None
        return told

    with open_log(tmp_path) as log:
        assert ask_about(log, "changed_verdicts")[1] == {"run": again, "other_run": first}
    delete_run(tmp_path, first)
    assert refusals() == {f"run {again} judges {first} again, which is not in this log"}
    newer = begun(tmp_path, 3, "evaluate")
    assert refusals() == {f"the log has no run of its kind before {newer}"}
    trained = begun(tmp_path, 4, "train")
    assert refusals() == {f"the log has no run of its kind before {trained}"}
    newest = begun(tmp_path, 5, "evaluate")
    with open_log(tmp_path) as log:
        assert ask_about(log, "changed_verdicts")[1] == {"run": newest, "other_run": newer}


def test_named_queries_are_about_some_run_as_long_as_there_is_one(tmp_path):
    """The newest training run; else the newest evaluation; of runs that are judged again the newest such."""
    kinds = [("evaluate", "gone"), ("train", "gone"), ("evaluate", "gone"), ("evaluate", None), ("train", None), ("evaluate", None)]  # fmt: skip
    expected = [0, 1, 1, 3, 4, 4]
    runs = []
    for nth, (kind, again) in enumerate(kinds):
        runs.append(begun(tmp_path, nth, kind, again))
        with open_log(tmp_path) as log:
            assert ask_about(log, "worst_traits")[1] == {"run": runs[expected[nth]]}, nth
            assert ask(log, "answer_explained").num_rows > 0


# Risks of gore and of guns (null: not known) and the threshold, before and now; and what alone explains the change.
RISK, THRESHOLD, ELSE = "another risk is known", "another threshold", "what is known of it changed"
REASONS = [
    ((0.5, 0), 0.66, (0.5, 0), 0.4, f"{THRESHOLD}: 0.66 before, 0.4 now"),
    ((0.92, 0), 0.66, (0.1, 0), 0.66, f"{RISK}: 0.92 before, 0.1 now"),
    ((0.92, 0), 0.66, (0.1, 0), 0.67, f"{RISK}: 0.92 before, 0.1 now"),  # the old risk is above 0.67 too
    ((None, None), 0.66, (0.2, 0), 0.67, f"{RISK}: none before, 0.2 now"),
    ((None, 0.1), 0.66, (0.95, 0.1), 0.67, f"{RISK}: 0.1 before, 0.95 now"),
    ((0.7, 0), 0.66, (0.75, 0), 0.8, f"{THRESHOLD}: 0.66 before, 0.8 now"),  # the new risk is above 0.66 too
    ((0.5, 0), 0.66, (0.9, 0), 0.4, f"{THRESHOLD}: 0.66 before, 0.4 now, {RISK}: 0.5 before, 0.9 now"),  # each would do
    (
        (0.5, 0),
        0.66,
        (0.6, 0),
        0.55,
        f"{THRESHOLD}: 0.66 before, 0.55 now, {RISK}: 0.5 before, 0.6 now",
    ),  # neither would
    ((0.9, 0.1), 0.66, (0.9, 0.8), 0.66, ELSE),
    ((0.9, 0.7), 0.66, (0.9, 0.1), 0.7, ELSE),
    ((0.9, 0.5), 0.66, (0.9, 0.6), 0.55, f"{THRESHOLD}: 0.66 before, 0.55 now, {ELSE}"),
    (
        (2 / 3, 0),
        2 / 3,
        (0.6, 0),
        0.666666667,
        f"{RISK}: {2 / 3} before, 0.6 now",
    ),  # one threshold, as risks have 9 digits
]


def test_a_changed_verdict_has_the_reason_that_alone_explains_it(tmp_path):
    for risks_before, before, risks, now, reason in REASONS:
        log_root = tmp_path / str(len(list(tmp_path.iterdir())))
        for given, threshold in ((risks_before, before), (risks, now)):
            of = dict(zip(("gore", "guns"), given, strict=True))
            known = {trait: risk for trait, risk in of.items() if risk is not None}
            violated = [trait for trait, risk in known.items() if round(risk, 9) >= round(threshold, 9)]
            verdict = film("Saw", "tt1", known, violated_traits=violated, is_safe=not violated)
            verdict["unrated_traits"] = [trait for trait in of if trait not in known]
            with LogWriter(log_root, RUN | {"kind": "evaluate", "risk_threshold": threshold}) as writer:
                asked = {"prompt_id": "p", "constraints": ["gore", "guns"], "groundtruth": {}, "verdicts": [verdict]}
                writer.write_step(0, *step_tables([asked]))
        with open_log(log_root) as log:
            assert [row["reason"] for row in ask(log, "changed_verdicts").to_pylist()] == [reason]


@pytest.mark.parametrize("name", named_queries())
def test_a_named_query_that_ends_after_some_rows_says_so(name):
    named = named_queries()[name]
    for most in re.findall(r"^limit (\d+)", named.sql, re.MULTILINE):
        assert re.search(rf"\b{most}\b", named.about), f"{name} doesn't say that it ends after {most} rows"


def test_steps_that_a_run_got_after_it_was_judged_again_are_no_changed_verdicts(tmp_path):
    first = begun(tmp_path, 1, "train")
    again = begun(tmp_path, 2, "train", again=first)
    with LogWriter.resume(tmp_path, first) as writer:
        writer.write_step(2, *step_tables(STEP_1))
    with open_log(tmp_path) as log:
        assert ask(log, "changed_verdicts", run=again).num_rows == 0
    changed = [{**answer, "verdicts": [film("Other", "tt9"), *answer["verdicts"][1:]]} for answer in STEP_1[:1]]
    with LogWriter.resume(tmp_path, first) as writer:
        writer.write_step(1, *step_tables([*changed, *STEP_1[1:]]))
    with open_log(tmp_path) as log:
        rows = ask(log, "changed_verdicts", run=again)
        assert {(row["step"], row["completion"], row["rank"]) for row in rows.to_pylist()} == {(1, 0, 1)}
