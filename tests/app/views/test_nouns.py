"""The app calls things what the store's domain calls them: of a store of games, no page speaks of films."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

from app.script import PAGES
from tests.app.driving import open_page

FILM = re.compile(r"(?i).{0,60}(?:\bfilms?\b|\bmovies?\b|parent guide|imdb).{0,60}")


@pytest.fixture(scope="module")
def games(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared store and log, as if its things were games."""
    copy = tmp_path_factory.mktemp("games") / "store.duckdb"
    shutil.copytree(store.with_suffix(".log"), copy.with_suffix(".log"))
    shutil.copyfile(store, copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute("update domain set noun = 'game', nouns = 'games'")
    return copy


def texts(app: AppTest) -> Iterator[str]:
    """What a page shows but for data: its HTML without what people asked, labels, heads of columns, titles of charts."""
    for element in app.get("html"):
        if "To be avoided" not in element.proto.body:
            yield element.proto.body
    for element in [*app.caption, *app.markdown]:
        yield element.value
    for kind in ("button", "selectbox", "multiselect", "slider", "text_input", "toggle", "button_group"):
        for element in app.get(kind):
            yield f"{element.proto.label} {element.proto.help}"
    for element in app.get("dataframe"):
        for settings in json.loads(element.proto.columns or "{}").values():
            yield f"{settings.get('label')} {settings.get('help')}"
    for element in app.get("vega_lite_chart"):
        yield from re.findall(r'"title": ?"[^"]*"', element.proto.spec)


@pytest.mark.parametrize("page", [name.replace("-", "_") for name in PAGES if name != "sql"])
def test_no_page_of_a_store_of_games_speaks_of_films(games, page):
    shown = "\n".join(text for text in texts(open_page(page, games)) if text)
    assert not FILM.findall(shown)
    assert re.search(r"(?i)\bgames?\b", shown)


def test_an_evaluated_run_of_games_is_told_in_games(games):
    with duckdb.connect(str(games), read_only=True) as log:
        [(run,)] = log.execute("select max(run_id) from runs where kind = 'evaluate'").fetchall()
    shown = "\n".join(texts(open_page("overview", games, run=run)))
    assert "of the recommended games violate a constraint" in shown and not FILM.findall(shown)
