"""SQL: any SELECT over the log and the store, with named queries to start from. Locked and time-limited."""

import streamlit as st

from app import columns, database, navigation, results, runs, states, style
from oracle import UserError
from oracle.log_queries import named_queries

TIMEOUT_S = 15.0
MOST_ROWS = 20_000
FIRST = """-- How safe and how good is each run?
select run_id, kind, step, svr_20, recall_20, films_per_list, unresolved_rate
from run_summary
order by run_id desc, step;
"""


def page() -> None:
    style.headline(
        "Ask the log anything.",
        f"One SELECT over the log’s views and the store’s tables, in DuckDB’s SQL, for at most {TIMEOUT_S:g} s. "
        "Nothing can be changed from here: other files, settings and extensions are locked.",
    )
    named = {query.title: query.sql for query in named_queries().values()}
    known = runs.all_runs()
    left, right = st.columns(2)
    with left:
        st.selectbox(
            "Named query",
            list(named),
            index=None,
            key="named",
            on_change=_load,
            args=(named,),
            placeholder="choose one",
        )
    with right:
        run = runs.pick(known)["run_id"] if known else None
    with st.form("editor", border=False):
        text = navigation.text("q", "SQL", FIRST, widget=st.text_area, height=190, label_visibility="collapsed")
        st.form_submit_button("Run", type="primary")
    with st.expander("Views and tables; chosen_run() is the run chosen above"):
        tables = database.rows("columns").select(["name", "columns"])
        st.dataframe(tables, hide_index=True, column_config={"columns": columns.text("columns", "large")})
    if not text.strip():
        return states.nothing("Nothing asked yet.", "Write a SELECT, or start from a named query.")
    try:
        with st.spinner("Running …"):
            answer = database.ask(text, run, MOST_ROWS, TIMEOUT_S)
    except UserError as error:
        return states.refused(error)
    results.show(answer, MOST_ROWS)


def _load(named: dict[str, str]) -> None:
    if st.session_state["named"]:
        st.session_state["q"] = named[st.session_state["named"]]
