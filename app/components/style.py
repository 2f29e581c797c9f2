"""How the app looks: colours that colour-blind people can tell apart, and the few pieces of HTML that pages share."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from oracle.base.printable import visible


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


def _text(text: str) -> str:
    return html.escape(visible(text))


def palette() -> Palette:
    return DARK if st.context.theme.type == "dark" else LIGHT


def apply() -> None:
    st.html(Path(__file__).with_name("style.css"))


def headline(sentence: str, lead: str = "", eyebrow: str = "") -> None:
    """The sentence that says what a page's numbers mean. All three are text, not HTML."""
    parts = [f'<p class="eyebrow">{_text(eyebrow)}</p>' if eyebrow else ""]
    parts += [f'<h1 class="headline">{_text(sentence)}</h1>']
    parts += [f'<p class="lead">{_text(lead)}</p>' if lead else ""]
    st.html("".join(parts))


def section(title: str, about: str = "") -> None:
    """A heading within a page, and what its figures are. Both are text."""
    below = f'<p class="about">{_text(about)}</p>' if about else ""
    st.html(f'<h2 class="section">{_text(title)}</h2>{below}')


def tiles(figures: Sequence[tuple[str, str, str, str]]) -> None:
    """A row of figures: (name, value, what it was, "better", "worse" or "")."""
    cells = (
        f'<div class="tile"><div class="name">{_text(name)}</div><div class="value">{_text(value)}</div>'
        f'<div class="was {judged}">{_text(was)}</div></div>'
        for name, value, was, judged in figures
    )
    st.html(f'<div class="tiles">{"".join(cells)}</div>')


def legend(entries: Sequence[tuple[str, str]]) -> None:
    """(colour, label) of the lines in the charts below."""
    items = (f'<span><i style="background:{colour}"></i>{_text(label)}</span>' for colour, label in entries)
    st.html(f'<div class="legend">{"".join(items)}</div>')
