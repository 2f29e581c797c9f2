"""The app's HTML: pieces of `pieces.html.j2`. Whatever goes into a piece is text and nothing else."""

from pathlib import Path
from typing import Any

import streamlit as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from oracle.base.printable import visible

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
    finalize=lambda value: value if isinstance(value, Markup) else visible(value),
)
_PIECES = _ENVIRONMENT.get_template("pieces.html.j2").module


def piece(name: str, *values: Any) -> Markup:
    """The HTML of the macro of that name. Only what another piece returned is taken for HTML, all else for text."""
    return Markup(getattr(_PIECES, name)(*values).strip())


def show(name: str, *values: Any, width: Any = "stretch") -> None:
    """Put a piece on the page."""
    st.html(piece(name, *values), width=width)
