"""Filters that live in the URL, so that a view can be shared, and ways from one page to another."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar
from urllib.parse import quote

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.components import markup
from app.core import kept
from app.text import formats

LONGEST = 6000  # characters of a value in a link: servers and proxies refuse longer lines than 8 kB or so
RUNS = ("run", "against", "other")  # filters that name runs: `runs.tell_of_gone` tells of those that are not there
T = TypeVar("T")
_pages: dict = {}


def enter(pages: dict, chosen) -> None:
    """Remember the pages by name, for `go`; and forget the answer and the widgets of the page before, whose filters stay known."""
    _pages.update(pages)
    if st.session_state.get("_page") != chosen.url_path:
        st.session_state["_page"] = chosen.url_path
        kept.forget()
        for name in [str(key)[4:] for key in st.session_state if str(key).startswith("url_")]:
            st.session_state.pop(name, None)


def go(name: str, **filters: object) -> None:
    """Open another page with these filters."""
    st.switch_page(_pages[name], query_params={key: str(value) for key, value in filters.items()})


def forget(*names: str) -> None:
    """Have these filters start as their defaults again, but for what is news in the URL."""
    for name in names:
        st.session_state.pop(f"url_{name}", None)
        st.session_state.pop(name, None)
        if name in st.query_params and not _is_back():
            del st.query_params[name]


def choose(
    name: str,
    label: str,
    options: Sequence[T],
    default: T,
    widget: Callable = st.selectbox,
    format_func: Callable[[T], str] = str,
    **look,
) -> T:
    """One of `options`, kept in the URL as its text. A link to one that is not there is told."""
    by_text = {str(option): option for option in options}
    refused = _from_url(name, by_text.get, default, valid=lambda value: value in by_text.values())
    labels = formats.told_apart(options, format_func)
    if refused and name not in RUNS:
        _tell(name, refused, f"“{formats.short(labels[st.session_state[name]], 50)}” is shown")
    return _to_url(name, widget(label, list(options), key=name, format_func=labels.__getitem__, **look), default)


def switch_between(name: str, label: str, options: dict[T, str], default: T) -> T:
    """One of `options` (value -> what people read), side by side; kept in the URL."""
    return choose(name, label, list(options), default, widget=st.segmented_control, format_func=options.__getitem__)


def named(name: str, options: Sequence[T], else_: str) -> T | None:
    """That one of `options` whose text the URL holds. A link to one that is not there is told, with what is shown `else_`."""
    written = st.query_params.get(name)
    by_text = {str(option): option for option in options}
    chosen = by_text.get(written or "")
    if written and chosen is None and written != st.session_state.get(f"url_{name}"):
        _tell(name, written, else_)
    st.session_state[f"url_{name}"] = written
    return chosen


def _tell(name: str, written: str, else_: str) -> None:
    markup.show("about", f"The link says {name}={formats.short(written)}, which is not here; {else_}.")


def choose_several(
    name: str, label: str, options: Sequence[str], format_func: Callable[[str], str] = str, **look
) -> list[str]:
    """Some of `options`, kept in the URL with commas between."""

    def read(text: str) -> list[str]:
        return [option for option in dict.fromkeys(text.split(",")) if option in options]

    _from_url(name, read, [], valid=lambda value: all(option in options for option in value))
    labels = formats.told_apart(options, format_func)
    chosen = st.multiselect(label, list(options), key=name, format_func=labels.__getitem__, **look)
    _to_url(name, ",".join(chosen), "")
    return chosen


def number(name: str, label: str, low: float, high: float, step: float, default: float, **look) -> float:
    """A number on a slider, kept in the URL. The slider is widened where it could not hold its default."""
    low, high = min(low, default), max(high, default)

    def read(text: str) -> float | None:
        try:
            value = float(text)
        except ValueError:
            return None
        return None if math.isnan(value) else min(high, max(low, value))

    _from_url(name, read, default)
    return _to_url(name, st.slider(label, low, high, step=step, format="%.6g", key=name, **look), default)


def text(name: str, label: str, default: str = "", widget: Callable = st.text_input, **look) -> str:
    """A text, kept in the URL where it is short enough for one; never a part of it."""
    _from_url(name, str, default)
    return _to_url(name, widget(label, key=name, **look), default)


def switch(name: str, label: str, default: bool = False, **look) -> bool:
    """A toggle, kept in the URL as yes or no."""
    _from_url(name, {"yes": True, "no": False}.get, default)
    value = st.toggle(label, key=name, **look)
    _to_url(name, "yes" if value else "no", "no")
    return value


def _from_url(name: str, read: Callable, default: object, valid: Callable = lambda value: True) -> str | None:
    """Before its widget is made: what the URL says, if that is news; else what was chosen before; else the default.

    Returns what is news in the URL and no value.
    """
    written, known = st.query_params.get(name), st.session_state.get(f"url_{name}")
    is_new = name not in st.session_state or (written != known and _is_back())
    refused = written if is_new and written != known else None
    if written is not None and is_new:
        value = read(written)
        if value is not None and valid(value):
            st.session_state[name], refused = value, None
    elif name not in st.session_state and known is not None and (value := read(known)) is not None:
        st.session_state[name] = value
    if name not in st.session_state or not valid(st.session_state[name]):
        st.session_state[name] = default
    return refused


def _is_back() -> bool:
    """Whether Back or Forward brought the URL. In all else that an open page says, it may be from before the browser heard of the
    last choice: over a slow network, the second of two quick ones would undo the first."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _to_url(name: str, value: T, default: object) -> T:
    written = str(default if value is None else value)
    if st.query_params.get(name) != written:
        if len(quote(written)) <= LONGEST:
            st.query_params[name] = written
        elif name in st.query_params:
            del st.query_params[name]
    st.session_state[f"url_{name}"] = written
    return default if value is None else value  # type: ignore[return-value]
