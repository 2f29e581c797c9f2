"""A table of which a person chooses a row."""

import streamlit as st


def choose(shown: object, rows: list[dict], key: str, **look) -> dict | None:
    """Draw a table; return that one of `rows` that a person has chosen in it, as it was shown to them.

    A click draws the page anew, and another row may stand in its place by then.
    """
    kept = f"{key} chosen"

    def keep() -> None:
        picked = st.session_state[key].selection.rows
        st.session_state[kept] = rows[picked[0]] if picked else None

    st.dataframe(shown, hide_index=True, on_select=keep, selection_mode="single-row", key=key, **look)
    return st.session_state.get(kept)


def forget(key: str) -> None:
    """Have no row chosen."""
    st.session_state.pop(f"{key} chosen", None)
