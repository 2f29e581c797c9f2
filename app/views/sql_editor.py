"""SQL: any SELECT over the log and the store, with named queries to start from. Locked and time-limited."""

from importlib.resources import files

import streamlit as st

from app import columns, database, navigation, results, states, style
from oracle import UserError

TIMEOUT_S = 15.0
MOST_ROWS = 20_000
FIRST = """-- Why was each film at rank 3 of step 1 rewarded so?
select completion, title, sentence
from why((select max(run_id) from runs where kind = 'train'), 1, completion, 3)
order by completion;
"""


def page() -> None:
    style.headline(
        "Ask the log anything.",
        f"One SELECT over the log’s views and the store’s tables, in DuckDB’s SQL, for at most {TIMEOUT_S:g} s. "
        "Nothing can be changed from here: other files, settings and extensions are locked.",
    )
    named = named_queries()
    st.selectbox(
        "Named queries", list(named), index=None, key="named", on_change=_load, args=(named,), placeholder="choose one"
    )
    with st.form("editor", border=False):
        text = navigation.text("q", "SQL", FIRST, widget=st.text_area, height=190, label_visibility="collapsed")
        st.form_submit_button("Run", type="primary")
    with st.expander("Views and tables"):
        known = database.rows("columns").select(["name", "columns"])
        st.dataframe(known, hide_index=True, column_config={"columns": columns.text("columns", "large")})
    if not text.strip():
        return states.nothing("Nothing asked yet.", "Write a SELECT, or start from a named query.")
    try:
        with st.spinner("Running …"):
            answer = database.ask(text, MOST_ROWS, TIMEOUT_S)
    except UserError as error:
        return states.refused(error)
    results.show(answer, MOST_ROWS)


def named_queries() -> dict[str, str]:
    """Title -> text of each file in sql/queries; a title is the file's first comment line."""
    folder = files("sql") / "queries"
    found = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    texts = [(folder / name).read_text(encoding="utf-8") for name in found if name.endswith(".sql")]
    return {text.splitlines()[0].lstrip("- ").rstrip("."): text for text in texts}


def _load(named: dict[str, str]) -> None:
    if st.session_state["named"]:
        st.session_state["q"] = named[st.session_state["named"]]
