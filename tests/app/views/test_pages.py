"""Each page on a real log and in each of its states; its figures are those of the views."""

import json
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import streamlit as st
from markupsafe import escape
from streamlit.testing.v1 import AppTest

from app import main
from app.components.markup import piece
from app.text import formats
from oracle import Oracle, build_store
from oracle.base.resources import read_sql
from oracle.log import LogWriter, query
from oracle.store.build import build_starter_store
from oracle.titles.aliases import aliases_path, append_alias, current_decisions
from tests.app.driving import checked, open_page, written
from tests.app.sample_log import K, Policy, ask
from tests.decisions import current_aliases
from tests.synthetic_log import write_run
from tests.tiny_log import NOTHING, RUN, STEP_1, film, step_tables

PAGES = ("overview", "models", "ranks", "answer", "films", "titles", "what_if", "sql_editor")


@pytest.fixture(scope="module")
def stepless_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = build_starter_store(tmp_path_factory.mktemp("stepless") / "store.duckdb")
    LogWriter(store.with_suffix(".log"), {"kind": "train", "rec_num": K}).close()
    return store


@pytest.fixture(scope="module")
def plain_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run, whose prompts have no constraints."""
    store = build_starter_store(tmp_path_factory.mktemp("plain") / "store.duckdb")
    settings = {"kind": "train", "model": "plain"}
    Policy(Oracle(store), traits_asked=0).write_run(store.with_suffix(".log"), 2, 0.0, 3, **settings)
    return store


@pytest.fixture(scope="module")
def odd_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every reward there is, its evaluations, and an evaluated model with longer lists, over films the store
    doesn't know."""
    store = build_starter_store(tmp_path_factory.mktemp("odd") / "store.duckdb")
    log = store.with_suffix(".log")
    rewards = {"lambda_end": 0.5, "lambda_repeat": 0.1, "lambda_count": 0.1, "w_safe": 2.0, "w_rel": 0.5}
    trained = write_run(log, steps=1, prompts=2, unresolved="ignore", **rewards)
    write_run(log, steps=1, prompts=2, kind="evaluate", num_generations=1, rec_num=30)
    of = json.dumps({"training_run": trained})
    write_run(log, steps=2, prompts=2, seed=1, kind="evaluate", model="on its way", num_generations=1, settings=of)
    again = json.dumps({"training_run": trained, "rejudged_from": "the run before"})
    write_run(log, steps=2, prompts=2, seed=2, kind="evaluate", model="on its way", num_generations=1, settings=again)
    return store


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_a_headline(store, page):
    app = open_page(page, store)
    assert 'class="headline"' in written(app)
    assert 'class="state error"' not in written(app)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_what_to_do_when_there_is_no_store(tmp_path, page):
    app = open_page(page, tmp_path / "missing.duckdb")
    assert "no store at" in written(app) and "--store" in written(app)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "sql_editor"])
def test_every_page_says_what_to_do_when_there_is_no_run(empty_store, page):
    app = open_page(page, empty_store)
    assert "No run yet" in written(app) and "python pipeline/train.py" in written(app)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_run_without_a_step(stepless_store, page):
    said = written(open_page(page, stepless_store)).lower()
    assert "no finished step" in said or page in ("models", "sql_editor")
    assert "no prompt of this run" not in said  # of which nothing is known so far
    assert page != "films" or "risk table" in said


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_run_without_constraints(plain_store, page):
    said = written(open_page(page, plain_store))
    assert 'class="headline"' in said
    if page == "overview":
        assert "No prompt of this run has constraints, so nothing could be violated" in said


@pytest.fixture(scope="module")
def silent_store(starter_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that ends with empty lists, and a model that lists nothing beside one that lists some films."""
    store = Path(shutil.copy(starter_store, tmp_path_factory.mktemp("silent")))
    nothing = [answer | {"verdicts": [NOTHING] * 3} for answer in STEP_1]
    for settings, steps in (
        ({"kind": "train"}, [STEP_1] * 10 + [nothing] * 10),
        ({"kind": "evaluate", "model": "silent"}, [nothing]),
        ({"kind": "evaluate", "model": "other"}, [STEP_1]),
    ):
        with LogWriter(store.with_suffix(".log"), RUN | settings) as writer:
            for step, answers in enumerate(steps, start=1):
                writer.write_step(step, *step_tables(answers))
    return store


@pytest.mark.parametrize("page", PAGES)
def test_every_page_tells_empty_lists_from_prompts_without_constraints(silent_store, page):
    runs = {
        row["model"] if row["kind"] == "evaluate" else "trained": row["run_id"]
        for row in ask(silent_store, "from runs")
    }
    silent = written(open_page(page, silent_store, run=runs["silent"], against=runs["other"]))
    trained = written(open_page(page, silent_store, run=runs["trained"]))
    assert not re.search("prompt (of this run )?has constraints|None of them on", silent + trained)
    said = {
        "overview": "No answer to a prompt with constraints lists a film, so nothing could be violated; recall is 0.000.",
        "models": "can’t be compared, as there is no prompt for which both list anything",
        "ranks": "No film was listed, so no rank could be punished.",
        "answer": "names a film.",
        "films": "No film was listed for people who avoid a trait",
        "titles": "No title was listed",
    }
    assert said.get(page, "") in silent
    if page == "overview":
        assert (
            "Violations are not known: the lists for prompts with constraints are empty in the last 5 steps" in trained
        )
        assert "Careful: lists got shorter" in trained and said["models"] in silent


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_run_with_every_reward_that_leaves_titles_out(odd_store, page):
    assert 'class="headline"' in written(open_page(page, odd_store))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_an_evaluated_model_of_other_length(odd_store, page):
    [run] = ask(odd_store, "from runs where kind = 'evaluate' and training_run(settings) is null")
    assert 'class="headline"' in written(open_page(page, odd_store, run=run["run_id"]))


def test_a_store_that_another_program_has_open_for_writing_is_no_hindrance(empty_store):
    code = f"import duckdb, sys; c = duckdb.connect({str(empty_store)!r}); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline() == b"open\n"
        assert "No run yet" in written(open_page("overview", empty_store))
        assert other.stdin
        other.stdin.close()


def test_a_file_that_is_no_store_is_told_as_such(tmp_path):
    path = tmp_path / "store.duckdb"
    path.write_text("not a database")
    assert "is not a store that can be read" in written(open_page("overview", path))


def test_the_overview_shows_the_figures_of_the_views(store, run):
    [row] = ask(
        store,
        """
        select avg(svr) filter (step <= 3) as first_svr, avg(svr) filter (step > 3) as last_svr,
            avg(recall) filter (step > 3) as last_recall, avg(films_per_list) filter (step > 3) as last_films
        from step_curves where run_id = $run
        """,
        run=run,
    )
    page = written(open_page("overview", store, run=run))
    assert f"Violations fell from {formats.percent(row['first_svr'])} to {formats.percent(row['last_svr'])}" in page
    assert f'<div class="value">{formats.number(row["last_recall"])}</div>' in page
    assert f'<div class="value">{formats.number(row["last_films"], 1)}</div>' in page


def test_the_overview_of_an_evaluated_model_shows_its_summary(store):
    [row] = ask(store, "from run_summary where kind = 'evaluate' order by svr_20 limit 1")
    page = written(open_page("overview", store, run=row["run_id"]))
    assert f"{formats.percent(row['svr_20'])} of the recommended films violate a constraint" in page


def test_evaluations_of_a_training_run_are_points_of_its_own_curves_and_no_models(odd_store):
    [trained] = ask(odd_store, "from runs where kind = 'train'")
    evaluations, again = ask(odd_store, "from runs where training_run(settings) is not null order by len(settings)")
    of_log = ask(
        odd_store,
        "select step, svr, recall, films_per_list from step_curves where run_id = $run order by step",
        run=evaluations["run_id"],
    )
    points = ask(odd_store, read_sql("app/curves"), runs=[trained["run_id"]])
    assert [(p["held_out"], p["step"]) for p in points] == [(False, 1), (True, 1), (True, 2)]
    assert {p["run_id"] for p in points} == {trained["run_id"]}
    assert [{name: p[name] for name in of_log[0]} for p in points[1:]] == [pytest.approx(row) for row in of_log]
    page = open_page("overview", odd_store, run=trained["run_id"])
    assert "Diamonds are evaluations on held-out prompts." in written(page)
    assert "on its way" not in [
        row["model"] for row in ask(odd_store, read_sql("app/leaderboard"), dataset=None, most=200, named=[])
    ]
    [later] = ask(odd_store, "select chosen_later_run() as run_id")  # for named queries that compare
    assert later["run_id"] not in (evaluations["run_id"], again["run_id"])


def test_the_run_that_pages_show_by_themselves_is_that_of_named_queries(tmp_path):
    store = build_starter_store(tmp_path / "store.duckdb")
    of = {"steps": 1, "prompts": 1, "num_generations": 1, "kind": "evaluate", "rec_num": 3}
    again = write_run(store.with_suffix(".log"), settings='{"rejudged_from": "gone"}', **of)

    def shown() -> str:
        page = open_page("overview", store)
        [box] = [box for box in page.selectbox if box.label == "Run"]
        assert ask(store, "select chosen_run() as it") == [{"it": box.value}]
        return box.value

    assert shown() == again
    evaluated = write_run(store.with_suffix(".log"), **of)
    write_run(store.with_suffix(".log"), settings='{"rejudged_from": "gone"}', started_at=datetime(2100, 1, 1), **of)
    st.cache_data.clear()  # it keeps figures for some seconds
    assert shown() == evaluated


def test_two_models_are_compared_prompt_by_prompt(store):
    worse, better = ask(store, "select run_id from run_summary where kind = 'evaluate' order by svr_20 desc")
    app = open_page("overview", store, run=better["run_id"], against=worse["run_id"])
    [svr] = ask(
        store, "from compare_runs($a, $b, resamples := 500) where metric = 'svr'", a=worse["run_id"], b=better["run_id"]
    )
    assert f"violations are lower here by {formats.points(svr['difference'])[1:]}" in written(app)


def test_the_parts_of_a_reward_that_pages_show_add_up(odd_store):
    [run] = ask(odd_store, "from runs where kind = 'train'")
    where = {"run": run["run_id"]}
    ranks = ask(odd_store, read_sql("app/answer_ranks"), **where, step=1, group=0)
    rewarded = [row for row in ranks if row["r_total"] is not None]
    parts = [{part["label"]: part["value"] for part in row["parts"] or []} for row in rewarded]
    assert min(part.get("safety", 0.0) for part in parts) == -2.0  # weighted
    assert [sum(part.values()) for part in parts] == pytest.approx([r["r_total"] for r in rewarded])
    cell = ask(odd_store, read_sql("app/cell_answers"), **where, first=1, last=1, rank=1)
    added = [row["safety"] + row["relevance"] + row["other"] for row in cell if row["r_total"] is not None]
    assert added == pytest.approx([row["r_total"] for row in cell if row["r_total"] is not None])
    assert len(added) > 0


def test_a_log_can_be_told_to_add_up(store, run):
    app = open_page("overview", store, run=run)
    [button] = [b for b in app.button if b.label.startswith("Compute every")]
    button.click()
    checked(app.run())
    [row] = ask(store, "select count(*) as n from verdicts where run_id = $run", run=run)
    assert f"All {formats.count(row['n'])} verdicts" in app.markdown[0].value


def test_the_rank_page_names_the_rank_that_violates_most(store, run):
    rows = ask(
        store,
        """
        select rank, sum(violations) / sum(films) as rate from rank_penalties where run_id = $run
        group by rank order by rate desc, rank limit 1
        """,
        run=run,
    )
    sentence = f"Rank {rows[0]['rank']} violates most, with {formats.percent(rows[0]['rate'])} of its films"
    page = written(open_page("ranks", store, run=run))
    assert sentence in page and "The log has no run" not in page


def test_a_cell_of_the_heat_map_in_the_url_shows_the_answers_behind_it(store, run):
    app = open_page("ranks", store, run=run, cell="2-4")
    assert "Rank 4, step 2" in written(app)
    [row] = ask(store, "select count(*) as n from verdicts where run_id = $run and step = 2 and rank = 4", run=run)
    assert len(app.dataframe[0].value) == row["n"]


def test_the_answer_page_tells_why_a_rank_was_punished(store, run):
    [row] = ask(
        store,
        """
        select step, group_id, title, year, violated_traits, advantage from verdicts
        where run_id = $run and r_safe < 0 order by step, completion, rank limit 1
        """,
        run=run,
    )
    page = written(open_page("answer", store, run=run, step=row["step"], prompt=row["group_id"]))
    assert piece("foreign", formats.film(row["title"], row["year"])) in page
    assert f"It violates {escape(row['violated_traits'][0])}: risk" in page
    assert "−1.00 safety" in page and formats.signed(row["advantage"]) in page


def test_the_traits_page_counts_as_the_views_do(store, run):
    [row] = ask(
        store,
        """
        select trait, sum(violations) as n from trait_breakdown where run_id = $run
        group by trait order by n desc, trait limit 1
        """,
        run=run,
    )
    page = written(open_page("films", store, run=run))
    assert (
        f"“{row['trait'].replace('&', '&amp;')}” is violated most often: {formats.plural(int(row['n']), 'time')}"
        in page
    )


def test_the_risk_table_can_be_searched(store):
    app = open_page("films", store, film="saw")
    assert set(app.dataframe[-1].value["imdb_id"]) >= {"tt0387564"}
    assert "No film with a risk has that title" in written(open_page("films", store, film="no such film at all"))


def test_a_person_confirms_a_title_and_takes_it_back(store, run):
    app = open_page("titles", store, run=run, kind="doubtful")
    confirm = next(button for button in app.button if button.label == "It is this one")
    confirm.click()
    checked(app.run())
    [alias] = current_aliases(store).to_pylist()
    assert confirm.key == f"confirm_{alias['imdb_id']}"
    assert "means <b>" in written(app)
    app.button[0].click()  # Undo
    checked(app.run())
    assert current_decisions(store)[0].num_rows == 0
    aliases_path(store).unlink()


def test_a_film_of_a_far_year_is_shown_and_cannot_be_confirmed(tmp_path):
    """It would never hold: years more than two apart are not let pass."""
    store = build_store(tmp_path / "s.duckdb", [{"imdb_id": "tt0387564", "title": "Saw", "year": 2004}])
    with LogWriter(store.with_suffix(".log"), RUN | {"rec_num": 1, "kind": "evaluate"}) as writer:
        writer.write_step(0, *step_tables([{**STEP_1[0], "verdicts": [film("Saw", year=1990)]}]))
    app = open_page("titles", store, kind="unresolved")
    assert "14 years apart, and 2 at most are let pass" in written(app)
    assert {button.label for button in app.button} & {"It is this one", "No known film"} == {"No known film"}


def test_undo_takes_back_the_decision_that_was_seen_and_no_other(store, run):
    """Two people see the second decision about a title, and both take it back; the first one stays."""
    for imdb_id in ("tt0078748", "tt0387564"):
        append_alias(store, "Zorblax", None, imdb_id, "confirm")
    pages = [open_page("titles", store, run=run, kind="decided") for _ in range(2)]
    try:
        for page in pages:
            [undo] = [button for button in page.button if button.label == "Undo"]
            undo.click()
            checked(page.run())
        assert current_aliases(store)["imdb_id"].to_pylist() == ["tt0078748"]
        assert "was decided otherwise meanwhile" in " ".join(written(page) for page in pages[1:])
    finally:
        aliases_path(store).unlink()


@pytest.mark.parametrize("kind", ["decided", "doubtful"])
def test_decisions_that_became_unreadable_while_a_page_was_looked_at_are_told_when_a_button_is_pressed(
    store, run, kind
):
    append_alias(store, "Zorblax", None, "tt0078748", "confirm")
    file = aliases_path(store)
    aside = file.with_suffix(".aside")
    for label in {"decided": ["Undo"], "doubtful": ["It is this one", "Not the film that it was taken for"]}[kind]:
        page = open_page("titles", store, run=run, kind=kind)
        file.rename(aside)
        file.mkdir()
        try:
            next(button for button in page.button if button.label == label).click()
            checked(page.run())
            assert "This cannot be shown" in written(page) and f"{file.name} is a folder" in written(page)
        finally:
            file.rmdir()
            aside.rename(file)
        assert "This cannot be shown" not in written(checked(page.run()))  # it can be read again
        assert [row["title"] for row in current_decisions(store)[0].to_pylist()] == ["Zorblax"]
    file.unlink()


def test_a_title_that_was_taken_for_two_films_is_one_title_found_with_doubt(empty_store):
    listed = [
        film("Fright Night", imdb_id, match_method="ambiguous", match_score=0.5, matched_year=year)
        for imdb_id, year in (("tt0089175", 1985), ("tt1438176", 2011), ("tt1438176", 2011))
    ]
    answers = [{"prompt_id": "a", "constraints": [], "groundtruth": {}, "verdicts": listed}]
    with LogWriter(empty_store.with_suffix(".log"), RUN) as log:
        log.write_step(1, *step_tables(answers))
    page = open_page("titles", empty_store, kind="doubtful")
    assert page.dataframe[0].value["taken for"].to_list() == ["Fright Night (2011)", "Fright Night (1985)"]
    assert "1 title found with doubt" in written(page)


@pytest.mark.parametrize("log", ["none", "of an earlier version"])
def test_the_pages_write_nothing_but_the_columns_of_a_log_as_security_says(empty_store, log):
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in empty_store.parent.rglob("*") if path.is_file()}

    said = " ".join((Path(__file__).parents[3] / "SECURITY.md").read_text().split())
    assert "writes nothing else but the folder `_schema` of its log, which holds no rows" in said
    schema = empty_store.with_suffix(".log") / "_schema"
    if log != "none":
        write_run(schema.parent, steps=1, prompts=2)
        (schema / "loss.parquet").unlink()
    before = files()
    for page in PAGES:
        open_page(page, empty_store)
    after = files()
    new = after.keys() - before.keys()
    assert {path: after[path] for path in before} == before
    assert schema / "loss.parquet" in new and all(path.is_relative_to(schema) for path in new)
    assert all(pq.read_metadata(path).num_rows == 0 for path in new)


def test_decisions_that_nobody_made_are_left_out_and_told(store, run):
    aliases_path(store).write_text("<script>alert(1)</script>\n{}\n")
    assert "2 lines of store.duckdb.aliases.jsonl left out" in written(open_page("titles", store, run=run))
    aliases_path(store).unlink()


def test_new_steps_are_seen_without_a_restart(empty_store):
    from app.core import database

    log = empty_store.with_suffix(".log")
    assert "No run yet" in written(open_page("overview", empty_store))
    write_run(log, steps=2, prompts=2)
    database._cached.clear()  # what some seconds do
    assert 'class="headline"' in written(open_page("overview", empty_store))


def test_a_store_that_was_replaced_is_read_anew(empty_store):
    log = empty_store.with_suffix(".log")
    write_run(log, steps=1, prompts=2)
    assert len(open_page("films", empty_store, film="saw").dataframe[-1].value) > 0
    with duckdb.connect(str(empty_store)) as connection:
        connection.execute("delete from trait_risk")
    assert "No film with a risk has that title" in written(open_page("films", empty_store, film="saw"))


def test_the_entry_draws_the_first_page_where_it_is_run_as_a_script(store, monkeypatch):
    monkeypatch.setattr("sys.argv", ["app/main.py", "--store", str(store)])
    entry = AppTest.from_file(str(Path(main.__file__)), default_timeout=180).run()
    assert not entry.exception and "film" in written(entry)


def test_the_app_needs_no_torch():
    code = "import app.main, sys; print('torch' in sys.modules, 'trainer' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["False", "False"]


def test_long_runs_are_drawn_with_few_points_and_cells():
    """Over 7,000 steps made up in SQL, so that nobody has to write so many."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table runs as select 'r' as run_id, '{}' as settings;
            create macro training_run(settings) as null;
            create macro rejudged_from(settings) as null;
            create table step_curves as
            select 'r' as run_id, range as step, 0.5 as svr, 0.5 as recall, 20 as films_per_list, 0 as unresolved_rate,
                0 as duplicate_rate, 1 as mean_total_reward
            from range(1, 7001);
            create table rank_sums as
            select 'r' as run_id, range as step, 1 as rank, 1 as rewarded, 1 as spread, 1 as cells
            from range(1, 7001);
            create table loss_by_rank as
            select 'r' as run_id, range as step, 1 as rank, 4 as lists, 1.5 as ratio, 0.25 as clip_ratio, null::double as kl
            from range(10, 7001, 10);
            create table rank_penalties as
            select 'r' as run_id, range as step, 1 as rank, 4 as lists, 1 as violations, 2 as films, 1 as hits,
                -0.25 as penalty
            from range(1, 7001, 2);  -- each batch is used for two steps
            """
        )
        points = connection.execute(read_sql("app/curves"), {"runs": ["r"]}).fetchall()
        cells = query(connection, read_sql("app/rank_cells"), {"run": "r"}).to_pylist()
    assert 250 <= len(points) <= 300
    assert 50 <= len(cells) <= 60
    assert sum(cell["lists"] for cell in cells) == 4 * 3500
    assert {(cell["penalty"], cell["violation_rate"], cell["signal"]) for cell in cells} == {(-0.25, 0.5, 1.0)}
    assert {(cell["ratio"], cell["clip_ratio"], cell["kl"]) for cell in cells} == {(1.5, 0.25, None)}


def test_what_the_loss_made_of_a_rank_is_weighed_by_its_lists():
    """61 steps in cells of two: 2 lists at the odd ones, 6 at the even ones; and two losses of what was answered once."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            create table rank_sums as
            select 'r' as run_id, range as step, 1 as rank, 1 as rewarded, 1 as spread, 1 as cells from range(1, 62);
            create table rank_penalties as
            select 'r' as run_id, range as step, 1 as rank, 4 as lists, 0 as violations, 2 as films, 1 as hits, 0.0 as penalty
            from range(1, 62);
            create table loss_by_rank as
            select 'r' as run_id, range as step, 1 as rank, if(range % 2 = 1, 2, 6) as lists, if(range % 2 = 1, 0.1, 0.5) as
                clip_ratio, if(range % 2 = 1, 1.1, 1.5) as ratio, if(range % 2 = 1, 0.2, 0.6) as kl
            from range(1, 62);
            insert into loss_by_rank values ('r', 62, 1, 6, 0.5, 1.5, 0.6);
            """
        )
        cells = query(connection, read_sql("app/rank_cells"), {"run": "r"}).to_pylist()
    assert len(cells) == 31
    for cell in cells:
        assert [cell[name] for name in ("clip_ratio", "ratio", "kl")] == pytest.approx([0.4, 1.4, 0.5])
