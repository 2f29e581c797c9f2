"""The audit app's script: Streamlit runs it for each person whenever a page is drawn. It chooses the page."""

import argparse
import sys
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.components import states, style
from app.core import address, database
from app.core.folder import leave_if_gone
from app.views import answer, films, models, overview, ranks, sql_editor, titles, what_if
from oracle import UserError
from oracle.base.nouns import FILMS, Nouns

ICON = str(Path(__file__).with_name("icon.svg"))
PAGES = {
    "overview": ("Overview", overview.page),
    "models": ("Models", models.page),
    "ranks": ("Rank penalties", ranks.page),
    "answer": ("Answer", answer.page),
    "films": ("Traits and films", films.page),
    "titles": ("Titles", titles.page),
    "what-if": ("What-if", what_if.page),
    "sql": ("SQL", sql_editor.page),
}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="streamlit run app/main.py --", description=__doc__)
    parser.add_argument("--store", default="store.duckdb", help="the store whose log to show (default: %(default)s)")
    args = parser.parse_args(argv)
    leave_if_gone()

    st.set_page_config(page_title="Safe-Rank audit", page_icon=ICON, layout="wide")
    nouns = _nouns(args.store)
    pages = {name: st.Page(page, title=nouns(title), url_path=name) for name, (title, page) in PAGES.items()}
    chosen = st.navigation(list(pages.values()), position="top")
    address.enter(pages, chosen)
    st.logo(ICON)
    style.apply()
    states.or_problem(_show, chosen, args.store)


def _nouns(store: str) -> Nouns:
    """Of the store; where there is none, which the page then says, films."""
    try:
        database.use(store)
    except (UserError, OSError):
        return FILMS
    return database.nouns()


def _show(page, store: str) -> None:
    database.use(store)
    head = st.empty()
    _tell_of_log(head)
    try:
        page.run()
    finally:  # damage within a file is found when a query meets it
        _tell_of_log(head)


def _tell_of_log(head: DeltaGenerator) -> None:
    if told := database.left_out():
        with head:
            states.left_out(told)


if __name__ == "__main__":
    main(sys.argv[1:])
