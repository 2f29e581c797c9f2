"""What-if and re-derivation: the SQL against rewards and advantages computed in numpy, and against tampering."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.log import LogWriter, open_log
from tests.synthetic_log import PARTS, SETTINGS, World, advantages, make_step, reward_parts, write_run
from tests.tiny_log import ADVANTAGE, LOG3, NOTHING, RUN, STEP_1, film, step_tables, write_tiny_log

RULES = st.fixed_dictionaries(
    {
        "rec_num": st.integers(1, 8),
        "num_generations": st.integers(2, 5),
        "reward_func": st.sampled_from(["log_decay", "exp_inf", "suffix_dcg"]),
        "advantage_mode": st.sampled_from(["grpo", "gdpo"]),
        "unresolved": st.sampled_from(["safe", "violation", "ignore"]),
        "safety_discount": st.sampled_from(["none", "dcg"]),
        "lambda_safe": st.sampled_from([0.0, 0.5, 2.0]),
        "penalty_safe": st.sampled_from([1.0, 0.3]),
        "lambda_count": st.sampled_from([0.0, 0.7]),
        "target_count": st.sampled_from([None, 3]),
        "lambda_end": st.sampled_from([0.0, 0.4]),
        "lambda_repeat": st.sampled_from([0.0, 0.2]),
        "w_safe": st.sampled_from([1.0, 1.5]),
        "w_rel": st.sampled_from([1.0, 2.5]),
    }
)
SLOW_OK = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(rules=RULES, seed=st.integers(0, 10**6))
@SLOW_OK
def test_every_reward_and_advantage_of_an_honest_log_is_derived_again(rules, seed, tmp_path_factory):
    root = tmp_path_factory.mktemp("log")
    write_run(root, steps=2, prompts=2, seed=seed, world=World(n_films=40, seed=1), **rules)
    with open_log(root) as log:
        differing, difference, rows = log.sql(
            "select count(*) filter (differs), max(difference), count(*) from rederivation"
        ).fetchall()[0]
    assert rows > 0
    assert differing == 0
    assert difference < 1e-9


@given(was=RULES, other=RULES, seed=st.integers(0, 10**6))
@SLOW_OK
def test_what_if_gives_what_training_with_other_settings_would_have_logged(was, other, seed, tmp_path_factory):
    changed = ("lambda_safe", "penalty_safe", "unresolved")
    other = {**was, **{name: other[name] for name in changed}}
    root = tmp_path_factory.mktemp("log")
    world = World(n_films=40, seed=1)
    run = write_run(root, steps=2, prompts=2, seed=seed, world=world, **was)
    truth = write_run(root, steps=2, prompts=2, seed=seed, world=world, **other)
    with open_log(root) as log:
        worst, rows = log.sql(
            """
            select max(greatest(
                gap(t.r_safe, w.r_safe_if), gap(t.r_rel, w.r_rel_if), gap(t.r_total, w.r_total_if),
                gap(t.advantage, w.advantage_if), (t.is_safe is distinct from w.safe_if)::int
            )), count(*)
            from what_if(?, new_lambda := ?, new_penalty := ?, new_unresolved := ?) w
            join verdicts t on t.run_id = ? and t.step = w.step and t.completion = w.completion and t.rank = w.rank
            """,
            params=[run, other["lambda_safe"], other["penalty_safe"], other["unresolved"], truth],
        ).fetchall()[0]
        before, after, silent, silent_if = log.sql(
            """
            select
                max(abs(w.svr - c.svr)), max(abs(w.svr_if - t.svr)),
                max(abs(w.no_signal_rate - c.no_signal_rate)), max(abs(w.no_signal_rate_if - t.no_signal_rate))
            from what_if_summary(?, new_lambda := ?, new_penalty := ?, new_unresolved := ?) w
            join step_curves c on c.run_id = ? and c.step = w.step
            join step_curves t on t.run_id = ? and t.step = w.step
            """,
            params=[run, other["lambda_safe"], other["penalty_safe"], other["unresolved"], run, truth],
        ).fetchall()[0]
    assert rows > 0
    assert worst < 1e-9
    assert (before or 0) < 1e-12
    assert (after or 0) < 1e-12
    assert (silent, silent_if) == pytest.approx((0, 0), abs=1e-12)


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
@pytest.mark.parametrize("policy", ["violation", "ignore"])
def test_all_four_settings_at_once_give_what_numpy_computes_from_the_same_answers(mode, policy, tmp_path):
    run = {
        **SETTINGS,
        "advantage_mode": mode,
        "rec_num": 6,
        "num_generations": 4,
        "lambda_repeat": 0.3,
        "lambda_count": 0.4,
    }
    completions, verdicts = make_step(World(200), run, 1, 2, 40, 0)
    grid = verdicts.filter(pc.field("rank") <= 6)

    def column(name: str, missing: object = None) -> np.ndarray:
        values = grid[name] if missing is None else pc.fill_null(grid[name], missing)
        return values.to_numpy().reshape(-1, 6)

    emitted = grid["title"].is_valid().to_numpy().reshape(-1, 6)
    constrained = pc.greater(pc.list_value_length(completions["constraints"]), 0).to_numpy()[:, None] & emitted
    unfound = constrained & ~grid["match_method"].is_valid().to_numpy().reshape(-1, 6)
    ignored = unfound & (policy == "ignore")
    unsafe = constrained & ((column("max_risk", 0.0) >= 0.5) | (unfound & (policy == "violation")))
    new = {**run, "lambda_safe": 0.7, "penalty_safe": 1.3, "risk_threshold": 0.5, "unresolved": policy}
    n_films = completions["n_films"].to_numpy()
    parts = reward_parts(new, n_films, column("hit", False), unsafe, column("repeated", False), ignored)
    cut_off = grid["start"].is_valid().to_numpy().reshape(-1, 6) & ~emitted
    assert cut_off.any()
    parts = {name: np.where(cut_off, np.nan, values) for name, values in parts.items()}
    total, advantage = sum(parts[name] for name in PARTS), advantages(new, parts, 4)

    with LogWriter(tmp_path, run) as writer:
        writer.write_step(1, completions, verdicts)
    asked = (
        f"'{writer.run_id}', new_lambda := 0.7, new_penalty := 1.3, new_threshold := 0.5, new_unresolved := '{policy}'"
    )
    with open_log(tmp_path) as log:
        rows = log.sql(f"select * from what_if({asked}) where rank <= 6 order by completion, rank").to_arrow_table()
        (svr,) = log.sql(f"select svr_if from what_if_summary({asked})").fetchall()[0]
    assert svr == unsafe.sum() / constrained.sum()
    for name, expected in (("r_safe_if", parts["safe"]), ("r_total_if", total), ("advantage_if", advantage)):
        found = np.array(rows[name].to_pylist(), float).reshape(-1, 6)
        np.testing.assert_allclose(found, expected, atol=1e-9, err_msg=name)


def test_a_threshold_is_a_comparison_with_the_stored_risk(tmp_path):
    run = write_tiny_log(tmp_path)
    with open_log(tmp_path) as log:
        # At 0.6, Jaws (0.64) violates too; Alien (0.5) doesn't.
        unsafe = log.sql(
            """select completion, rank, title from what_if(?, new_threshold := 0.6)
               where step = 1 and not safe_if order by all""",
            params=[run],
        ).fetchall()
        summary = log.sql("select svr, svr_if, punished_if from what_if_summary(?, new_threshold := 0.6)", params=[run])
        assert unsafe == [(0, 1, "Saw"), (0, 3, "Jaws"), (1, 1, "Jaws"), (1, 2, "Jaws")]
        assert summary.fetchall() == [(1 / 5, 4 / 5, 4 / 8), (0, 2 / 2, 2 / 4)]


@pytest.mark.parametrize(
    "changed",
    [
        "new_unrated := 'violations'",
        "new_unresolved := 'Violation'",
        "new_weights := map {'saftey': 0}",
        "new_threshold := 66",
        "new_threshold := 'nan'::double",
        "new_lambda := -1",
        "new_lambda := 'nan'::double",
        "new_penalty := -0.5",
        "new_penalty := 'infinity'::double",
        "new_weights := map {'safety': 'nan'::double}",
        "new_weights := map {'relevance': 1.0, 'safety': '-infinity'::double}",
    ],
)
def test_a_setting_that_is_none_is_refused(tmp_path, changed):
    run = write_tiny_log(tmp_path)
    with open_log(tmp_path) as log:
        for view in ("what_if", "what_if_summary"):
            with pytest.raises(duckdb.InvalidInputException, match=changed.split()[0]):
                log.execute(f"from {view}($run, {changed})", {"run": run}).fetchall()


def test_a_weight_may_be_negative_as_when_training(tmp_path):
    run = write_tiny_log(tmp_path)
    with open_log(tmp_path) as log:
        asked = "select title, r_total_if from what_if($run, new_weights := map {'safety': -2}) where step = 1 and not is_safe"
        assert log.execute(asked, {"run": run}).fetchall() == [("Saw", 1 * 1 + -2 * -1)]


@pytest.mark.parametrize(
    ("weight", "asked", "punished"),
    [(0.0, {}, (0, 0)), (0.0, {"safety": 0.5}, (0, 1)), (0.5, {}, (1, 1)), (0.5, {"safety": 0.0}, (1, 0))],
)
def test_a_film_is_punished_only_where_safety_has_a_weight(weight, asked, punished, tmp_path):
    run = write_tiny_log(tmp_path, w_safe=weight)  # of 8 films in the top 3 of step 1, Saw violates
    with open_log(tmp_path) as log:
        weights = f"map({list(asked)}::varchar[], {list(asked.values())}::double[])"
        found = f"select punished * 8, punished_if * 8 from what_if_summary('{run}', new_weights := {weights}) where step = 1"
        assert log.sql(found).fetchall() == [punished]


def test_group_advantages_by_hand(tmp_path):
    run = write_tiny_log(tmp_path)
    with open_log(tmp_path) as log:
        advantages = log.sql(
            """select advantage_if from what_if(?, new_lambda := 0)
               where step = 1 and completion < 2 and rank <= 2 order by completion, rank""",
            params=[run],
        ).fetchall()
    # Without a penalty Saw earns its 1.0 against 0 of the other answer: ±0.5 / (1 / sqrt(2) + 1e-4).
    saw = 0.5 / (0.5**0.5 + 1e-4)
    assert [a for (a,) in advantages] == pytest.approx([saw, ADVANTAGE, -saw, -ADVANTAGE])


def test_ignored_films_are_left_out_of_the_groups_mean(tmp_path):
    answers = [dict(a, constraints=["gore"]) for a in STEP_1[2:]]  # Heet is unresolved, under a constraint
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_step(1, *step_tables(answers))
    with open_log(tmp_path) as log:
        sql = "select r_total_if, advantage_if from what_if(?, new_unresolved := ?) where rank = 1 order by completion"
        ignored = log.sql(sql, params=[writer.run_id, "ignore"]).fetchall()
        punished = log.sql(sql, params=[writer.run_id, "violation"]).fetchall()
    assert ignored == [(None, 0), (0, 0)]
    assert punished == [(-1, pytest.approx(-0.5 / (0.5**0.5 + 1e-4))), (0, pytest.approx(0.5 / (0.5**0.5 + 1e-4)))]


def test_suffix_reward_by_hand(tmp_path):
    run = write_tiny_log(tmp_path, reward_func="suffix_dcg")
    with open_log(tmp_path) as log:
        parts = log.sql("select r_rel_if from what_if(?) where step = 1 and completion = 0 order by rank", params=[run])
        assert [r for (r,) in parts.fetchall()] == pytest.approx([1 + LOG3, LOG3, 0])


@pytest.mark.parametrize(
    "tampered",
    [
        "r_safe = 0.0 where r_safe < 0",  # a penalty taken back
        "r_total = r_total + 0.001 where rank = 2 and completion = 0",
        "advantage = 0.0 where abs(advantage) > 0.1 and completion = 1",
        "is_safe = true where is_safe = false",
        "status = 'safe' where status = 'unsafe'",
        "max_risk = 0.1 where max_risk > 0.9",
        "hit = false where hit and rank = 1",
        "r_rel = null where rank = 1 and completion = 2",
    ],
)
def test_a_tampered_log_shows(tampered, tmp_path):
    run = write_tiny_log(tmp_path)
    [file] = (tmp_path / run).glob("step-00000001-*/verdicts.parquet")
    with duckdb.connect() as connection:
        connection.execute("create table v as from read_parquet(?)", [str(file)])
        connection.execute("update v set " + tampered)
        connection.execute(f"copy v to '{file}' (format parquet)")
    with open_log(tmp_path) as log:
        assert log.sql("select count(*) from rederivation where differs").fetchall()[0][0] > 0


def test_the_sql_agrees_with_the_trainers_advantages(tmp_path):
    torch = pytest.importorskip("torch")
    advantages = pytest.importorskip("trainer.advantages")
    for mode, compute in (("grpo", advantages.grpo_advantages), ("gdpo", advantages.gdpo_advantages)):
        run = {
            **SETTINGS,
            "advantage_mode": mode,
            "lambda_repeat": 0.5,
            "lambda_count": 0.7,
            "lambda_end": 0.4,
            "unresolved": "ignore",
            "num_generations": 4,
            "rec_num": 6,
        }
        completions, verdicts = make_step(World(60), run, 1, 2, 20, 0)
        grid = verdicts.filter(pc.field("rank") <= 7)
        parts = [grid[f"r_{p}"].to_numpy().reshape(-1, 7) for p in ("rel", "safe", "count", "end", "repeat")]
        assert 0 < np.isnan(parts[2]).sum() < np.isnan(parts[0]).sum()  # cut off; and ignored as well
        expected = compute(torch.tensor(np.stack(parts, 1)), torch.ones(5, dtype=torch.float64), 4).numpy()
        root = tmp_path / mode
        with LogWriter(root, run) as writer:
            writer.write_step(1, completions, verdicts)
        with open_log(root) as log:
            again = log.sql(
                "select advantage_if from what_if(?) where rank <= 7 order by completion, rank", params=[writer.run_id]
            )
            np.testing.assert_allclose(np.array(again.fetchall()).ravel(), expected.ravel(), atol=1e-6)


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
def test_the_view_of_one_run_reads_no_rows_of_others(tmp_path, mode):
    intact, spoilt = (write_tiny_log(tmp_path, advantage_mode=mode) for _ in range(2))
    for file in (tmp_path / spoilt).glob("step-*/verdicts.parquet"):
        whole = file.read_bytes()
        footer = int.from_bytes(whole[-8:-4], "little") + 8
        file.write_bytes(b"PAR1".ljust(len(whole) - footer, b"?") + whole[-footer:])
    with open_log(tmp_path) as log:
        counted = "select count(*), count(difference) from rederivation where run_id = ? and difference >= 0"
        assert log.sql(counted, params=[intact]).fetchall() == [(25, 25)]
        with pytest.raises(duckdb.Error):
            log.sql(counted, params=[spoilt]).fetchall()


def test_of_a_log_with_risks_of_all_digits_the_run_s_own_threshold_changes_nothing(tmp_path):
    """As earlier versions wrote: asked with 2/3, of which 9 digits are read, a risk of 2/3 was below it."""
    verdicts = [
        film("Saw", "tt1", {"gore": 2 / 3}, is_safe=False, status="unsafe", r_safe=-1.0, r_total=-1.0),
        NOTHING,
        NOTHING,
    ]
    answer = {"prompt_id": "p", "constraints": ["gore"], "groundtruth": {}, "verdicts": verdicts}
    with LogWriter(tmp_path, RUN) as writer:
        writer.write_step(1, *step_tables([answer, answer]))
    file = writer.folder / "run.parquet"
    table = pq.read_table(file)
    place = table.column_names.index("risk_threshold")
    pq.write_table(table.set_column(place, "risk_threshold", pa.array([2 / 3])), file)
    with open_log(tmp_path) as log:
        assert log.sql("select count(*) from rederivation where differs").fetchall() == [(0,)]
        for asked, unsafe in ((2 / 3, 2), (0.6, 2), (0.66666667, 0)):
            found = "select count(*) from what_if(?, new_threshold := ?) where status_if = 'unsafe'"
            assert log.execute(found, [writer.run_id, asked]).fetchall() == [(unsafe,)], asked


@pytest.mark.parametrize("run", [
    # Two of four answers name a hit that violates, the others neither: all rewards are 0 in sum.
    {"advantage_mode": "gdpo", "w_safe": 0.5, "lambda_safe": 2.0, "rec_num": 1},
    # No answer has a hit or a violation, and all end too early, which the control of length tells them.
    {"advantage_mode": "grpo", "length_control": 0.5, "rec_num": 2},
])  # fmt: skip
def test_where_something_is_learnt_there_is_a_signal_though_all_rewards_are_equal_in_sum(run, tmp_path):
    run = SETTINGS | {"num_generations": 4} | run
    named = run["rec_num"] == 1
    both = np.array([[named], [False], [False], [named]])
    parts = {part: np.zeros((4, 1)) for part in PARTS} | {"rel": both * 1.0, "safe": both * -2.0}
    answers = []
    for is_hit, [advantage] in zip(both[:, 0], advantages(run, parts, 4), strict=True):
        first = film("Saw", "tt1", {"gore": 0.9 if is_hit else 0.1}, hit=bool(is_hit), advantage=advantage)
        listed = [first | {"r_rel": is_hit * 1.0, "r_safe": is_hit * -2.0, "length_control": 0.0}]
        if not named:
            listed += [NOTHING | {"advantage": -0.5, "length_control": -0.5}, NOTHING]
        answers.append({"prompt_id": "A", "constraints": ["gore"], "groundtruth": {"Saw": True}, "verdicts": listed})
    with LogWriter(tmp_path, run) as writer:
        writer.write_step(1, *step_tables(answers))
    with open_log(tmp_path) as log:
        assert log.sql("select count(*) from rederivation where differs").fetchall() == [(0,)]
        curve = log.sql("select no_signal_rate from step_curves").fetchall()
        ranks = log.sql("select no_signal_rate from rank_penalties order by rank").fetchall()
        as_it_was = log.sql("select no_signal_rate, no_signal_rate_if from what_if_summary(null)").fetchall()
    assert (curve, as_it_was) == (([(0,)], [(0, 0)]) if named else ([(1 / 2,)], [(1 / 2, 1 / 2)]))
    assert ranks == ([(0,)] if named else [(1,), (0,), (1,)])


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (1.0, 0.5, 0.0), (0.5, 0.5, 1.0), (0.0, 1.0, 0.5)])
def test_what_if_knows_without_advantages_where_nothing_would_be_learnt(mode, weights, tmp_path):
    """Rewards of few values, many of which weigh each other up; half of the runs have one of somebody's own as well."""
    rng = np.random.default_rng(0)
    n, g = 400, 2
    run = SETTINGS | {
        "advantage_mode": mode,
        "rec_num": 1,
        "num_generations": g,
        "lambda_safe": 1.0,
        "lambda_repeat": 1.0,
    }
    run |= dict(zip(("w_rel", "w_safe", "w_repeat"), weights, strict=True)) | {"own_weights": {"own": weights[1]}}
    hit, unsafe, repeated = (rng.random((n, 1)) < 0.4 for _ in range(3))
    own = np.where(rng.random((n, 1)) < 0.5, -1.0, 0.0) * (np.arange(n)[:, None] < n // 2)
    parts = {part: np.zeros((n, 1)) for part in PARTS}
    parts |= {"rel": hit * 1.0, "safe": unsafe * -1.0, "repeat": repeated * -1.0, "own": own}
    weighed = run | {f"w_{part}": run.get(f"w_{part}", 1.0) for part in PARTS} | {"w_own": weights[1]}
    silent = (abs(advantages(weighed, parts, g)).reshape(-1, g).max(1) <= 1e-9).mean()
    same_sum = (np.ptp(sum(weighed[f"w_{p}"] * x for p, x in parts.items()).reshape(-1, g), axis=1) < 1e-9).mean()
    assert 0 < silent <= same_sum
    listed = [
        film("Saw", "tt1", {"gore": 0.9 if bad else 0.1}, hit=bool(good), repeated=bool(again))
        | {"r_rel": good * 1.0, "r_safe": bad * -1.0, "r_repeat": again * -1.0}
        for good, bad, again in zip(hit[:, 0], unsafe[:, 0], repeated[:, 0], strict=True)
    ]
    answers = [{"prompt_id": "A", "constraints": ["gore"], "groundtruth": {}, "verdicts": [one]} for one in listed]
    completions, verdicts = step_tables(answers)
    named = pa.array([[("own", float(mine))] for mine in own[:, 0]], pa.map_(pa.string(), pa.float64()))
    verdicts = verdicts.append_column("own_rewards", named)
    with LogWriter(tmp_path, run) as writer:
        writer.write_step(1, completions, verdicts)
    with open_log(tmp_path) as log:
        by_sums = log.sql("select no_signal_rate_if from what_if_summary(null)").fetchall()
        by_advantages = log.sql(
            "select avg(silent::int) from (select max(abs(advantage_if)) <= 1e-9 as silent from what_if(null) group by group_id)"
        ).fetchall()
    assert (by_sums, by_advantages) == ([(pytest.approx(silent),)], [(pytest.approx(silent),)])
