"""How the app looks: colours that colour-blind people can tell apart, and the pieces of HTML that pages share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app.components import markup


@dataclass(frozen=True)
class Palette:
    """Colours of charts, from Okabe & Ito's palette, for one of the two backgrounds."""

    runs: tuple[str, ...]
    good: str
    bad: str
    background: str  # of the page
    empty: str  # a cell of a heat map with nothing in it
    before: str
    edge: str  # around what was picked


LIGHT = Palette(
    runs=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    good="#0072B2", bad="#C65300", background="#FFFFFF", empty="#F3F4F5", before="#8A9199", edge="#000000",
)  # fmt: skip
DARK = Palette(
    runs=("#56B4E9", "#E69F00", "#35B58D", "#CC79A7", "#F0E442", "#8FA3FF"),
    good="#56B4E9", bad="#F0883E", background="#14171A", empty="#20262B", before="#7D868F", edge="#FFFFFF",
)  # fmt: skip


def palette() -> Palette:
    return DARK if st.context.theme.type == "dark" else LIGHT


def apply() -> None:
    st.html(Path(__file__).with_name("style.css"))


def headline(sentence: str, lead: str = "", eyebrow: str = "") -> None:
    """The sentence that says what a page's numbers mean."""
    markup.show("headline", sentence, lead, eyebrow)


def section(title: str, about: str = "") -> None:
    """A heading within a page, and what its figures are."""
    markup.show("section", title, about)


def tiles(figures: Sequence[tuple[str, str, str, str]]) -> None:
    """A row of figures: (name, value, what it was, "better", "worse" or "")."""
    markup.show("tiles", figures)


def legend(entries: Sequence[tuple[str, str]]) -> None:
    """(colour, label) of the lines in the charts below."""
    markup.show("legend", entries)
