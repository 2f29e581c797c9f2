"""SQL: any SELECT over the log and the store, with named queries to start from. Locked and time-limited."""

import streamlit as st

from app.components import columns, results, states, style
from app.core import address, database, kept, runs
from app.core.query_pool import UNCONFINED
from oracle import UserError
from oracle.log import named_queries

TIMEOUT_S = 15.0
MOST_ROWS = 20_000
FIRST = """-- How safe and how good is each run?
select run_id, kind, step, svr_20, svr_20_high, svr_20_known, recall_20, films_per_list, unresolved_rate, unrated_rate
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
    asked = st.session_state.get("asked")
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
        text = address.text("q", "SQL", FIRST, widget=st.text_area, height=190, label_visibility="collapsed")
        if st.form_submit_button("Run", type="primary"):
            asked = st.session_state["asked"] = text
            kept.forget()
    with st.expander("Views and tables; chosen_run() is the run chosen above"):
        tables = database.rows("columns").select(["name", "columns"])
        st.dataframe(tables, hide_index=True, column_config={"columns": columns.text("columns", "large")})
    if not text.strip():
        return states.nothing("Nothing asked yet.", "Write a SELECT, or start from a named query.")
    # Statements of ours run by themselves; what a link brought waits until the person who opened it has read it.
    if text != asked and text not in {FIRST, *named.values()}:
        return states.nothing("Not asked yet.", "Read the statement, then press Run.")
    note = st.empty()
    try:
        ticket = _asked(text, run)
        answer = kept.answers().get(ticket)
    except UserError as error:
        return states.refused(error)
    finally:
        if not database.confines():
            note.caption(f"About statements: {UNCONFINED}.")
    if answer.left_out and answer.left_out != database.left_out():
        states.left_out(answer.left_out)
    results.show(answer, f"answer-{ticket[:12]}", MOST_ROWS, again=lambda: kept.answers().get(ticket))


def _asked(sql: str, run: str | None) -> str:
    """The ticket of the answer, which is kept until Run is pressed or another page opened, so that a look at the chart doesn't ask
    again."""
    known = st.session_state.get(kept.TICKET)
    ear = st.empty()  # a script hears Stop when it writes to the page; always there, else what follows would begin anew
    if known is None or known[0] != (sql, run):
        kept.forget()
        with st.spinner("Running … Stop, at the top, ends it.", show_time=True):
            answer = database.ask(sql, run, MOST_ROWS + 1, TIMEOUT_S, waiting=lambda seconds: ear.empty())
        known = st.session_state[kept.TICKET] = ((sql, run), kept.answers().keep(answer))
    return known[1]


def _load(named: dict[str, str]) -> None:
    if st.session_state["named"]:
        st.session_state["q"] = named[st.session_state["named"]]
