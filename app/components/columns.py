"""How columns of tables are headed and their numbers written; the same on every page."""

from collections.abc import Sequence

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig


def text(name: str, width: str | int | None = None) -> ColumnConfig:
    return st.column_config.TextColumn(name, width=width)  # type: ignore[arg-type]


def texts(name: str, width: str | None = None) -> ColumnConfig:
    """A list of texts."""
    return st.column_config.ListColumn(name, width=width)  # type: ignore[arg-type]


def share(name: str) -> ColumnConfig:
    return st.column_config.NumberColumn(name, format="percent", width="small")


def whole(name: str, form: str = "localized", about: str | None = None) -> ColumnConfig:
    return st.column_config.NumberColumn(name, format=form, width="small", help=about)


def year() -> ColumnConfig:
    return whole("year", "%d")


def decimal(name: str, digits: int, about: str | None = None) -> ColumnConfig:
    return st.column_config.NumberColumn(name, format=f"%.{digits}f", width="small", help=about)


def flag(name: str) -> ColumnConfig:
    return st.column_config.CheckboxColumn(name, width="small")


def height(rows: Sequence | int, most: int) -> int:
    """Of a table with so many rows, at most `most` pixels."""
    n = rows if isinstance(rows, int) else len(rows)
    return min(most, 42 + 36 * max(1, n))
