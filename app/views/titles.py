"""Titles: what the oracle could not find, or found with doubt. A person decides, and the oracle follows."""

from collections.abc import Callable

import streamlit as st

from app.components import columns, markup, rows, states, style
from app.core import address, database, runs
from app.text import formats, sentences
from oracle import UserError
from oracle.base.printable import visible
from oracle.titles import aliases_path, append_alias, confirm_alias, current_decisions

MOST = 100
NOTED = "Noted: it holds when the oracle next starts."
KINDS = {"unresolved": "Not found", "doubtful": "Found with doubt", "decided": "Decided"}


def page() -> None:
    trouble = st.session_state.pop("_trouble", None)  # of the button that was pressed
    left, right = st.columns([3, 4], vertical_alignment="bottom")
    with left:
        run = runs.pick()
    with right:
        kind = address.switch_between("kind", "Show", KINDS, "unresolved")
    figures = database.rows("titles_headline", run=run["run_id"]).to_pylist()
    if not figures:
        return states.no_step()
    titles = database.rows("titles_of_run", run=run["run_id"], most=MOST).to_pylist()
    table, ignored = current_decisions(database.store_path())
    decided = {(row["title"], row["year"]): row for row in table.to_pylist()}

    style.headline(*_sentences(figures[0], titles, len(decided)), eyebrow=runs.eyebrow(run))
    if trouble:
        states.problem(trouble)
    if ignored:
        lines = formats.plural(ignored, "line")
        states.nothing(f"{lines} of {_file()} left out", "Only lines that this page wrote are decisions about titles.")
    if kind == "decided":
        return _decided(list(decided.values()))
    of_kind = [row for row in titles if row["kind"] == kind]
    if not of_kind:
        return states.nothing("Every title was found." if kind == "unresolved" else "No title was found with doubt.")
    left, right = st.columns([3, 2], gap="large")
    with left:
        chosen = _list(of_kind, decided, kind, run)
    with right:
        _decide(chosen, decided.get((chosen["title"], chosen["year"])))


def _sentences(figures: dict, titles: list[dict], decisions: int) -> tuple[str, str]:
    sentence = f"{formats.percent(figures['unresolved_rate'])} of the listed titles could not be found."
    if figures["unresolved_rate"] is None:
        sentence = "No title was listed, so none had to be found."
    elif figures["steps"] > 1:
        change = sentences.change(figures["first_rate"], figures["last_rate"], formats.percent, 0.001)
        sentence = f"The share of titles that cannot be found {change}."
    doubtful = [(row["title"], row["year"]) for row in titles if row["kind"] == "doubtful"]
    found = formats.plural(len(set(doubtful)), "title")  # of which each may be taken for several films
    return sentence, (
        "A title that is not found has no known risk, so a policy can hide behind it. "
        f"{found}{' or more' if len(doubtful) == MOST else ''} found with doubt; "
        f"{formats.plural(decisions, 'decision')} noted."
    )


def _list(titles: list[dict], decided: dict, kind: str, run: dict) -> dict:
    """The titles; returns the one that is chosen, at first the most frequent."""
    style.section(
        "As written, the most frequent first",
        f"Choose a title to decide what it means. Times count ranks beyond {run['rec_num']} too.",
    )
    chosen = rows.choose(
        [_shown(row, decided, kind) for row in titles],
        titles,
        key=f"titles_{kind}_{run['run_id']}",
        height=columns.height(titles, 560),
        placeholder=formats.NOTHING,
        column_config={
            "title": columns.text("title", 170),
            "year": columns.year(),
            "times": columns.whole("times"),
            "trend": columns.whole(
                "trend",
                "%+d",
                "Times in the second half of the steps, less those in the first; "
                "the middle one of an odd number is in neither. None below two steps.",
            ),
            "taken for": columns.text("taken for", 185),
            "score": columns.decimal("score", 2),
        },
    )
    return chosen or titles[0]


def _shown(row: dict, decided: dict, kind: str) -> dict:
    shown = {"title": visible(row["title"]), "year": row["year"], "times": row["times"]}
    if kind == "unresolved":
        shown["trend"] = row["trend"]
    else:
        shown |= {
            "taken for": visible(formats.film(row["matched_title"], row["matched_year"])),
            "score": row["match_score"],
        }
    decision = decided.get((row["title"], row["year"]))
    return shown | {"decision": {"confirm": "alias", "reject": "rejected"}[decision["action"]] if decision else ""}


def _decide(row: dict, decision: dict | None) -> None:
    style.section("What does it mean?")
    markup.show("prompt", formats.film(row["title"], row["year"]))
    if decision:
        return _undo(decision)
    films = database.rows("candidates", title=row["title"][:200], year=row["year"]).to_pylist()
    for film in films:
        _candidate(row, film)
    if not films:
        markup.show("about", database.nouns()("No known film has a title like it."))
    refusal = "Not the film that it was taken for" if row["imdb_id"] else "No known film"
    _button(database.nouns()(refusal), None, _note, row["title"], row["year"], row["imdb_id"], "reject")
    st.caption("Noted beside the store, and applied when the oracle next opens it. It can be undone.")


def _candidate(row: dict, film: dict) -> None:
    about = f"{film['imdb_id']} · {formats.percent(film['closeness'], 0)} alike"
    about += " · taken for this one" if film["imdb_id"] == row["imdb_id"] else f" · {film['why']}"
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        markup.show("candidate", formats.film(film["title"], film["year"]), about, width="content")
        if film["may_be"]:
            what = (row["title"], row["year"], film["imdb_id"])
            _button("It is this one", f"confirm_{film['imdb_id']}", _confirm, *what)


def _undo(decision: dict) -> None:
    found = database.rows("film_named", imdb_id=decision["imdb_id"]).to_pylist() if decision["imdb_id"] else []
    name = formats.film(found[0]["title"], found[0]["year"]) if found else decision["imdb_id"]
    means = name if decision["action"] == "confirm" else f"not {name}" if name else database.nouns()("no known film")
    noted = f"{decision['imdb_id'] or 'no id'}, decided {decision['at'][:10]}"
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        markup.show("decision", means, noted, width="content")
        key = f"undo_{decision['title']}_{decision['year']}_{decision['at']}_{decision['imdb_id']}"
        _button("Undo", key, _take_back, decision)


def _decided(decisions: list[dict]) -> None:
    if not decisions:
        hint = database.nouns()("Choose a title that was not found, and say which film it is.")
        return states.nothing("Nothing is decided yet.", hint)
    style.section("Decisions", f"Kept in {_file()} beside the store, one a line.")
    for decision in reversed(decisions):
        with st.container(border=True):
            markup.show("foreign", formats.film(decision["title"], decision["year"]))
            _undo(decision)


def _file() -> str:
    return aliases_path(database.store_path()).name


def _button(label: str, key: str | None, act: Callable, *args: object) -> None:
    """Pressed, it does `act`; what goes wrong is told by the page that comes behind it."""
    st.button(label, key=key, on_click=states.or_problem, args=(act, *args), kwargs={"tell": _keep})


def _keep(trouble: UserError) -> None:
    st.session_state["_trouble"] = trouble


def _take_back(seen: dict) -> None:
    """Undo the decision that the person saw, and none that somebody has made since, or that held before it."""
    if seen not in current_decisions(database.store_path())[0].to_pylist():
        name = formats.film(seen["title"], seen["year"])
        raise UserError(f"{name} was decided otherwise meanwhile: look again, then undo")
    _note(seen["title"], seen["year"], None, "undo")


def _confirm(title: str, year: int | None, imdb_id: str) -> None:
    confirm_alias(database.store_path(), title, year, imdb_id)
    st.toast(NOTED)


def _note(title: str, year: int | None, imdb_id: str | None, action) -> None:
    append_alias(database.store_path(), title, year, imdb_id, action)
    st.toast("Taken back." if action == "undo" else NOTED)
