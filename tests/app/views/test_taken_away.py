"""A store, a log, a run or a right that is taken away while a page is open is told in words."""

import shutil
import tempfile

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.driving import checked, open_page, written


def _taken_away(store: str, what: str) -> None:
    """Parts of pages that are drawn anew by themselves (AppTest reads this function's text)."""
    from pathlib import Path

    from app.core import database, runs
    from app.views import overview

    database.use(store)
    if what == "store":
        Path(store).unlink()
        runs._look_again()
    else:
        overview._rederive(runs.all_runs()[0] | {"run_id": "20200101-000000-gone"})


@pytest.mark.parametrize(("what", "said"), [("store", "no store at"), ("run", "This run is no longer in the log.")])
def test_what_is_taken_away_under_an_open_page_is_told(store, tmp_path, what, said):
    copy = tmp_path / "store.duckdb"
    shutil.copyfile(store, copy)
    app = AppTest.from_function(_taken_away, args=(str(copy if what == "store" else store), what), default_timeout=180)
    assert said in written(checked(app.run()))


@pytest.mark.parametrize(("page", "name"), [("ranks", "run"), ("models", "other"), ("overview", "with")])
def test_a_link_to_a_run_that_is_gone_says_so(store, page, name):
    link = open_page(page, store, **{name: "20200101-<b>-gone"})
    assert "The log has no run 20200101-&lt;b&gt;-gone;" in written(link)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("answer", ("step", "prompt", "rank")),
        ("films", ("trait",)),
        ("models", ("dataset", "prompt")),
        ("ranks", ("cell",)),
    ],
)
def test_a_link_to_a_part_of_a_run_that_is_not_there_says_so(store, page, names):
    assert "The link says" not in written(open_page(page, store))
    link = written(open_page(page, store, **dict.fromkeys(names, "999<b>")))
    for name in names:
        assert f"The link says {name}=999&lt;b&gt;, which is not here; " in link


def test_what_the_system_refuses_is_told(empty_store, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    assert "This cannot be shown" in written(open_page("overview", empty_store))
