"""Answers that are judged again: the same rules give the same run, others their own, and every reward still adds up."""

import itertools
import json
import shlex
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from oracle import UserError, build_store
from oracle.cli.main import main
from oracle.log import LogWriter, ask, compact, delete_run, open_log, query
from oracle.rejudge import _noted, rejudge
from oracle.sources import catalog_note
from oracle.store import log_root
from tests.app.sample_log import write_sample
from tests.tiny_log import RUN, STEP_1, A, film, step_tables, write_tiny_log

GORE = "Anti-gore / squeamish"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("rejudged"), steps=2)


def newest(store: Path) -> str:
    with open_log(store.with_suffix(".log")) as log:
        return log.sql("select chosen_run()").fetchall()[0][0]


def rows(store: Path, sql: str, **params: object) -> list[tuple]:
    with open_log(store.with_suffix(".log")) as log:
        return [tuple(row.values()) for row in query(log, sql, params).to_pylist()]


COLUMNS = (
    'step, completion, rank, title, year, start, "end", imdb_id, match_method, status, is_safe, max_risk, hit, repeated, '
    "round(r_rel, 9), round(r_safe, 9), round(r_end, 9), round(r_total, 9), round(advantage, 6), n_tokens"
)


def test_by_the_same_rules_every_verdict_reward_and_advantage_is_the_same(store):
    origin = newest(store)
    again = rejudge(store, origin)
    assert again.changed == 0 and again.verdicts > 100
    of = f"select {COLUMNS} from verdicts where run_id = $run and start is not null order by all"
    assert rows(store, of, run=again.run_id) == rows(store, of, run=origin)
    assert newest(store) == origin, "a run that was judged again is not the newest that was trained"


def test_the_commands_that_are_told_behind_it_work_whatever_the_name_of_the_store(store, tmp_path, capsys):
    named = tmp_path / 'it\'s my "store" $1.duckdb'
    shutil.copy(store, named)
    shutil.copytree(store.with_suffix(".log"), named.with_suffix(".log"))
    assert main(["log", "rejudge", newest(named), "--store", str(named)]) == 0
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines() if line.startswith("  python")]
    assert len(commands) == 2
    for words in commands:
        assert words[:3] == ["python", "-m", "oracle"] and main(words[3:]) == 0


def test_a_lower_threshold_changes_what_it_must_and_every_reward_follows_from_the_log(store):
    origin = newest(store)
    again = rejudge(store, origin, risk_threshold=0.4)
    unsafe = (
        "select count(*) from verdicts where run_id = $run "
        "and len(list_filter(evidence, lambda e: e.risk >= 0.4 and e.risk < 0.66)) > 0"  # of any trait
    )
    [(expected,)] = rows(store, unsafe, run=origin)
    assert again.changed == expected > 0
    assert rows(store, "select count(*) from rederivation where run_id = $run and differs", run=again.run_id) == [(0,)]
    with open_log(store.with_suffix(".log")) as log:
        told = ask(log, "changed_verdicts", run=again.run_id).to_pylist()
    assert len(told) == expected
    assert {row["reason"] for row in told} == {"another threshold: 0.66 before, 0.4 now"}


def test_a_title_that_fits_several_films_now_is_a_changed_verdict(tmp_path):
    """The film is the same, and as safe; ambiguous_rate is another."""
    films = [{"imdb_id": f"tt000000{n}", "title": "Hunter", "year": 2018} for n in (1, 2)]
    risks = [{"imdb_id": "tt0000001", "trait": GORE, "risk": 0.9}]
    with LogWriter(tmp_path / "s.log", RUN | {"rec_num": 1, "num_generations": 1, "kind": "evaluate"}) as writer:
        answers = [{"prompt_id": "p", "constraints": [GORE], "groundtruth": {}, "verdicts": [film("Hunter")]}]
        completions, verdicts = step_tables(answers)
        writer.write_step(
            0,
            completions.set_column(completions.column_names.index("text"), "text", pa.array(["1. Hunter (2018)"])),
            verdicts,
        )
    runs = []
    for known in (films[:1], films):
        (tmp_path / "s.duckdb").unlink(missing_ok=True)
        store = build_store(tmp_path / "s.duckdb", known, risks)
        runs.append(rejudge(store, writer.run_id).run_id)
    with open_log(tmp_path / "s.log") as log:
        rates = query(
            log, "select ambiguous_rate from run_summary where run_id in $runs order by run_id", {"runs": runs}
        )
        assert sorted(rates["ambiguous_rate"].to_pylist()) == [0, 1]
        told = ask(log, "changed_verdicts", run=runs[1], other_run=runs[0])
        assert told["reason"].to_pylist() == ["fits several films now, not before"]


def test_films_that_are_read_no_more_are_changed_verdicts_and_counted_as_verdicts(store):
    with LogWriter(store.with_suffix(".log"), RUN | {"rec_num": 2, "kind": "evaluate"}) as writer:
        thought = film("Saw", "tt0387564", {"gore": 0.92}, start=9, end=19)
        kept = film("Jaws", "tt0073195", {"gore": 0.64}, start=30, end=41)
        completions, verdicts = step_tables([{**A, "verdicts": [thought, kept]}])
        text = "<plan>1. Saw (2004)\n</plan>1. Jaws (1975)"
        writer.write_step(
            1, completions.set_column(completions.column_names.index("text"), "text", pa.array([text])), verdicts
        )
    again = rejudge(store, writer.run_id, thought_tags=["plan"])
    assert (again.changed, again.verdicts) == (2, 2), "Jaws stands at rank 1 now, and nothing at rank 2"


def test_films_that_count_otherwise_are_changed_verdicts_whatever_their_status(store):
    origin = newest(store)
    again = rejudge(store, origin, unresolved="violation")
    unresolved = "select count(*) from verdicts where run_id = $run and constrained and status = 'unresolved'"
    [(expected,)] = rows(store, unresolved, run=origin)
    assert again.changed == expected > 0
    with open_log(store.with_suffix(".log")) as log:
        told = ask(log, "changed_verdicts", run=again.run_id).to_pylist()
    assert len(told) == expected
    assert {row["reason"] for row in told} == {"unresolved films count as safe before, violations now"}


@pytest.mark.parametrize("status", ["unresolved", "unrated"])  # and the setting that says what they count as
def test_the_reason_says_what_films_counted_as_and_count_as_now_of_every_two_policies(store, status):
    words = {"safe": "safe", "violation": "violations", "ignore": "nothing"}
    origin = newest(store)
    runs = {value: rejudge(store, origin, **{status: value}).run_id for value in words}
    of = "select count(*) from verdicts where run_id = $run and constrained and status = $status"
    [(expected,)] = rows(store, of, run=origin, status=status)
    with open_log(store.with_suffix(".log")) as log:
        for old, new in itertools.permutations(words, 2):
            told = ask(log, "changed_verdicts", run=runs[new], other_run=runs[old]).to_pylist()
            reason = f"{status} films count as {words[old]} before, {words[new]} now"
            assert [row["reason"] for row in told] == [reason] * expected and expected


def answers(*texts: str) -> tuple:
    """The tables of a step whose answers are these, again and again."""
    completions, verdicts = step_tables(STEP_1)
    given = [texts[n % len(texts)] for n in range(len(completions))]
    return completions.set_column(completions.column_names.index("text"), "text", [given]), verdicts


def thinking(folder: Path, **settings) -> tuple[Path, LogWriter]:
    """A store, and a run whose every answer has a film in a thought."""
    store = build_store(folder / "store.duckdb", [{"imdb_id": "a", "title": "Heat", "year": 1995}])
    with LogWriter(store.with_suffix(".log"), RUN | settings) as log:
        log.write_step(1, *answers("<plan>\n1. Saw (2004)\n</plan>\n1. Heat (1995)"))
    return store, log


def test_thoughts_that_are_named_are_no_recommendations(tmp_path):
    store, log = thinking(tmp_path)
    of = "select distinct title from verdicts where run_id = $run and title is not null order by title"
    assert rows(store, of, run=rejudge(store, log.run_id).run_id) == [("Heat",), ("Saw",)]
    again = rejudge(store, log.run_id, thought_tags=["plan"])
    assert rows(store, of, run=again.run_id) == [("Heat",)]
    tokens = "select distinct n_tokens from verdicts where run_id = $run and title is not null"
    assert rows(store, tokens, run=again.run_id) == [(None,)], "nobody counted the tokens of another piece of the text"


def test_the_run_s_own_thoughts_and_catalog_hold_and_a_catalog_that_is_another_by_now_is_refused(tmp_path):
    catalog = tmp_path / "catalog.csv"
    catalog.write_text("title,year\nUp,2009\n")
    noted = {"thought_tag": ["plan"], "catalog_path": "catalog.csv", "max_mb": 1, **catalog_note(catalog)}
    store, log = thinking(tmp_path, settings=json.dumps(noted), own_weights={"mine": 1.0})
    again = rejudge(store, log.run_id, unresolved="violation")
    assert again.notes == ("left out of every total, as rewards of one's own can't be derived again: mine",)
    found = "select distinct title, in_catalog from verdicts where run_id = $run and title is not null"
    assert rows(store, found, run=again.run_id) == [("Heat", False)]
    [(settings,)] = rows(store, "select settings from runs where run_id = $run", run=again.run_id)
    assert json.loads(settings) == noted | {"unresolved": "violation", "rejudged_from": log.run_id}
    catalog.write_text("title,year\nHeat,1995\n")
    with pytest.raises(UserError, match=r"catalog.csv, the catalog .*, is not what it was: bring it back"):
        rejudge(store, log.run_id)
    catalog.unlink()
    with pytest.raises(UserError, match=r"catalog.csv, the catalog .*, is gone: bring it back"):
        rejudge(store, log.run_id)


@pytest.mark.parametrize("is_noticed_at_once", [True, False])
def test_a_run_with_a_damaged_step_is_not_judged_again_without_it(tmp_path, is_noticed_at_once):
    store, log = thinking(tmp_path)
    [file] = log.folder.glob("step-00000001-*/completions.parquet")
    content = file.read_bytes()
    file.write_bytes(content[:99] if is_noticed_at_once else content[:4] + b"\x0e" * 196 + content[200:])
    with pytest.raises(
        UserError, match=rf"cannot judge run {log.run_id} again: .*step-00000001.* can't be read; bring"
    ):
        rejudge(store, log.run_id)
    assert rows(store, "select run_id from runs") == [(log.run_id,)]


def test_a_run_of_which_a_step_could_not_be_read_for_a_moment_is_not_judged_again_without_it(small_store, monkeypatch):
    root = log_root(small_store)
    run = write_tiny_log(root)
    before = sorted(path.name for path in root.iterdir())
    [file] = (root / run).glob("step-00000002-*/completions.parquet")

    def for_a_moment(log, sql, *given):
        if "select distinct step" not in sql:
            return query(log, sql, *given)
        away = file.rename(file.with_name("away"))
        try:
            return query(log, sql, *given)
        finally:
            away.rename(file)

    monkeypatch.setattr("oracle.rejudge.query", for_a_moment)
    with pytest.raises(UserError, match=r"step-00000002.* can't be read; bring it back"):
        rejudge(small_store, run)
    delete_run(root, run)
    assert sorted(path.name for path in root.iterdir()) == [name for name in before if name != run]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('{"thought_tag": 5}', "thought_tag is 5, expected a list of names; give them"),
        ('{"thought_tag": "plan"}', 'thought_tag is "plan", expected a list of names'),
        ('{"thought_tag": [1]}', r"thought_tag is \[1\], expected a list of names"),
        ('{"catalog": 5}', "its setting catalog is 5, expected"),
        ('{"catalog": {"sha256": "x"}}', "its setting catalog is .*, expected"),
        ('{"catalog_path": 5}', "its setting catalog_path is 5, expected the path of a file"),
        ('{"catalog_path": "a.csv", "max_mb": "1"}', 'its setting max_mb is "1", expected a whole number'),
    ],
)
def test_a_setting_of_another_type_is_refused_in_one_line_that_names_the_run(small_store, settings, said):
    with LogWriter(small_store.with_suffix(".log"), {**RUN, "settings": settings}) as log:
        log.write_step(1, *OLD)
    with pytest.raises(UserError, match=f"^cannot judge run {log.run_id} again: {said}"):
        rejudge(small_store, log.run_id)


def test_settings_that_are_no_object_say_nothing_of_the_run_and_this_is_told(small_store):
    with LogWriter(small_store.with_suffix(".log"), {**RUN, "settings": '{"a": 1' + "0" * 5000 + "}"}) as log:
        log.write_step(1, *OLD)
    [note] = rejudge(small_store, log.run_id).notes  # Python reads no number of 5,000 digits
    assert note.startswith("the run's settings are no JSON object: its catalog, and marks of thoughts")
    assert [_noted({"settings": text}) for text in ("[1]", "5", '"x"', "null", None)] == [None, None, None, {}, {}]


OLD, NEW = answers("1. Heat (1995)"), answers("1. Heat (1995)", "1. Saw (2004)")


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    return build_store(folder / "store.duckdb", [{"imdb_id": "a", "title": "Heat", "year": 1995}])


def rejudge_while(store: Path, change, after: int):
    """Judge a run of two steps again; `change(log_root, run_id)` comes when `after` of them are judged."""
    root = store.with_suffix(".log")
    with LogWriter(root, RUN) as log:
        for step in (1, 2):
            log.write_step(step, *OLD)

    def progress(steps):
        yield from steps[:after]
        change(root, log.run_id)
        yield from steps[after:]

    return log.run_id, lambda: rejudge(store, log.run_id, progress=progress)


def cut_back(root: Path, run_id: str) -> None:
    with LogWriter.resume(root, run_id) as log:
        log.truncate_after(1)


def cut_back_and_gone_on_with(root: Path, run_id: str) -> None:
    with LogWriter.resume(root, run_id) as log:
        log.truncate_after(1)
        log.write_step(2, *NEW)


@pytest.mark.parametrize(("change", "after"), [(delete_run, 1), (cut_back, 1), (cut_back_and_gone_on_with, 2)])
def test_a_run_that_is_changed_meanwhile_is_refused_and_no_part_of_it_judged_again(small_store, change, after):
    run_id, again = rejudge_while(small_store, change, after)
    with pytest.raises(UserError, match=rf"^cannot judge run {run_id} again: it was changed, or deleted, meanwhile;"):
        again()
    assert rows(small_store, "select run_id from runs where rejudged_from(settings) = $run", run=run_id) == []


def merged_and_gone_on_with(root: Path, run_id: str) -> None:
    compact(root, run_id, grace_s=0)
    with LogWriter.resume(root, run_id) as log:
        log.write_step(3, *NEW)


def test_a_merge_and_a_further_step_meanwhile_change_nothing(small_store):
    _, again = rejudge_while(small_store, merged_and_gone_on_with, after=1)
    steps = "select step, count(*) from rollouts where run_id = $run group by step order by step"
    assert rows(small_store, steps, run=again().run_id) == [(1, 4), (2, 4)]


def test_what_is_added_for_the_length_of_a_list_is_logged_again(small_store):
    with LogWriter(small_store.with_suffix(".log"), {**RUN, "length_control": 0.5}) as log:
        log.write_step(1, *OLD)
    again = rejudge(small_store, log.run_id).run_id
    added = "select distinct length_control from verdicts where run_id = $run order by all"
    assert rows(small_store, added, run=again) == [(-0.5,), (0.0,)]
    assert rows(small_store, "select count(*) from rederivation where run_id = $run and differs", run=again) == [(0,)]


def test_a_title_that_was_cut_off_beyond_the_rewarded_ranks_is_no_row_as_in_training(small_store):
    completions, verdicts = answers(
        *("".join(f"{n}. Heat (1995)\n" for n in range(1, films)) + f"{films}. Hea" for films in (3, 5))
    )
    ended = pa.array([False] * len(completions))
    completions = completions.set_column(completions.column_names.index("ended"), "ended", ended)
    with LogWriter(small_store.with_suffix(".log"), RUN) as log:
        log.write_step(1, completions, verdicts)
    again = rejudge(small_store, log.run_id).run_id
    of = (
        "select completion, rank, title from verdicts where run_id = $run and completion < 2 and rank >= 3 order by all"
    )
    assert rows(small_store, of, run=again) == [(0, 3, None), (1, 3, "Heat"), (1, 4, "Heat")]


def test_constraints_are_logged_in_full_as_the_verdicts_name_them(tmp_path):
    risk = [{"imdb_id": "a", "trait": GORE, "risk": 0.9}]
    store = build_store(tmp_path / "store.duckdb", [{"imdb_id": "a", "title": "Heat", "year": 1995}], risk)
    assert A["constraints"] == ["gore"]  # as somebody's own writer may have it, or a store before it renamed a trait
    with LogWriter(store.with_suffix(".log"), RUN) as log:
        log.write_step(1, *OLD)
    again = rejudge(store, log.run_id).run_id
    asked = "select constraints from rollouts where run_id = $run order by completion"
    assert rows(store, asked, run=again) == [([GORE],), ([GORE],), ([],), ([],)]
    of_trait = "select trait, lists, violations from trait_breakdown where run_id = $run"
    assert rows(store, of_trait, run=again) == [(GORE, 2, 2)]


def test_a_run_without_steps_is_not_judged_again(small_store):
    log = LogWriter(small_store.with_suffix(".log"), RUN)
    log.close()
    with pytest.raises(UserError, match=rf"cannot judge run {log.run_id} again: it has no steps"):
        rejudge(small_store, log.run_id)


def test_a_run_that_is_not_there_is_named(store):
    before = rows(store, "select run_id from runs order by run_id")
    with pytest.raises(UserError, match=r"no run '20200101-000000-0000'"):
        rejudge(store, "20200101-000000-0000")
    with pytest.raises(UserError, match="risk_threshold"):
        rejudge(store, newest(store), risk_threshold=7)
    assert rows(store, "select run_id from runs order by run_id") == before
