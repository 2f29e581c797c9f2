"""Filters and the URL: what one says, the other shows."""

import pytest
from streamlit.testing.v1 import AppTest

from app.core import address
from tests.app.driving import checked, written


def _filters() -> None:
    import streamlit as st

    from app.core import address

    if not st.session_state.get("away"):
        chosen = address.choose("run", "Run", ["a", "b", "c"], "b")
        shorter = st.session_state.get("shorter")
        step = address.choose("step", "Step", [1, 2] if shorter else [1, 2, 30], 2)
        address.named("cell", [] if shorter else ["1-1"], "none is open")
        several = address.choose_several("with", "With", ["x", "y"])
        level = address.number("level", "Level", 0.0, 1.0, 0.1, 0.5)
        live = address.switch("live", "Live", True)
        text = address.text("q", "Query", "select 1")
        st.text(repr([chosen, step, several, level, live, text]))


def _open(**filters: str) -> AppTest:
    app = AppTest.from_function(_filters)
    for name, value in filters.items():
        app.query_params[name] = value
    return checked(app.run())


@pytest.fixture
def back(monkeypatch):
    """The URL of each message is one that Back or Forward brought."""
    monkeypatch.setattr(address, "_is_back", lambda: True)


def _values(app: AppTest) -> str:
    return app.text[0].value


def test_without_filters_the_defaults_stand_in_the_url():
    app = _open()
    assert _values(app) == "['b', 2, [], 0.5, True, 'select 1']"
    assert app.query_params["run"] in ("b", ["b"])
    assert app.query_params["live"] in ("yes", ["yes"])


def test_a_shared_url_shows_the_same_view():
    app = _open(run="c", step="30", level="0.8", live="no", q="from runs", **{"with": "y,x"})
    assert _values(app) == "['c', 30, ['y', 'x'], 0.8, False, 'from runs']"


def test_nonsense_in_the_url_is_the_default():
    app = _open(run="'; drop table runs", step="-1", level="a lot", live="maybe", **{"with": "z,<b>"})
    assert _values(app) == "['b', 2, [], 0.5, True, 'select 1']"
    assert _values(_open(level="nan", **{"with": "x,x,y,x"})) == "['b', 2, ['x', 'y'], 0.5, True, 'select 1']"


def test_a_link_to_what_is_not_there_is_told_once_and_an_older_choice_is_not(back):
    app = _open(step="4<b>", cell="9-9", live="maybe")
    for line in ("step=4&lt;b&gt;, which is not here; “2” is shown.", "cell=9-9, which is not here; none is open."):
        assert f"The link says {line}" in written(app)
    assert written(app).count("The link says") == 2
    assert "The link says" not in written(checked(app.run()))
    app.query_params["step"] = "5"  # another link
    assert "step=5" in written(checked(app.run()))
    app = _open(run="c", step="30", cell="1-1")
    app.session_state["shorter"] = True  # as another run is
    assert _values(checked(app.run())).startswith("['c', 2") and written(app) == ""
    assert written(_open(step="", cell="", run="gone")) == "", "of runs their own lines tell"


def test_numbers_out_of_range_are_drawn_to_its_ends():
    assert "1.0" in _values(_open(level="1e9"))


def test_what_a_person_chooses_goes_into_the_url():
    app = _open(run="c")
    app.selectbox(key="run").set_value("a")
    checked(app.run())
    assert _values(app).startswith("['a'")
    assert app.query_params["run"] in ("a", ["a"])


def test_a_long_text_is_never_cut_and_leaves_a_url_that_it_would_break():
    long = "select " + "1 + " * 2000 + "1"
    app = _open(q=long)
    assert long in _values(app)
    app.text_input(key="q").set_value(long + " + 1")
    assert long + " + 1" in _values(checked(app.run())) and "q" not in app.query_params
    app.session_state["away"] = True
    checked(app.run())
    app.session_state["away"] = False
    assert long + " + 1" in _values(checked(app.run()))


def test_a_new_url_wins_over_what_was_chosen_before(back):
    app = _open(run="c")
    app.query_params["run"] = "b"
    assert _values(checked(app.run())).startswith("['b'")


def test_a_url_from_before_the_browser_heard_of_a_choice_undoes_none():
    """As over a slow network, where two choices follow each other within the time of an answer."""
    app = _open(run="c")
    checked(app.selectbox(key="run").set_value("a").run())
    app.query_params["run"] = "c"
    checked(app.text_input(key="q").set_value("select 2").run())
    assert _values(app).startswith("['a'") and "'select 2'" in _values(app)
    assert app.query_params["run"] in ("a", ["a"])


def test_a_choice_is_remembered_while_another_page_is_shown():
    app = _open(run="c")
    app.session_state["away"] = True
    app.query_params.clear()
    checked(app.run())
    app.session_state["away"] = False
    assert _values(checked(app.run())).startswith("['c'")


def test_the_answer_of_a_query_is_forgotten_with_its_page():
    def _opened() -> None:
        from types import SimpleNamespace

        import streamlit as st

        from app.core import address

        address.enter({}, SimpleNamespace(url_path=st.session_state.get("at", "sql")))
        st.text(st.session_state.setdefault("answer", ("asked", "first"))[1])
        st.session_state["answer"] = ("asked", "kept")

    app = checked(AppTest.from_function(_opened).run())
    assert checked(app.run()).text[0].value == "kept"
    app.session_state["at"] = "titles"
    assert checked(app.run()).text[0].value == "first"
