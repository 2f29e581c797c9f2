"""A run against another, prompt by prompt."""

import streamlit as st

from app.components import markup, style
from app.core import address, database, runs
from app.text import formats, sentences


def show(run: dict, known: list[dict]) -> None:
    """The part of the overview that compares `run` with one that a person chooses."""
    names = {other["run_id"]: runs.label(other) for other in known if other["run_id"] != run["run_id"]}
    if not names:
        return
    style.section(
        "Compare prompt by prompt",
        "Each row over the prompts that both runs answered and that define it for both, with 95 % bootstrap intervals.",
    )
    names = {"": "choose a run", **names}
    other = address.choose("against", "Against", list(names), "", format_func=names.__getitem__, label_visibility="collapsed")
    if not other:
        return
    with st.spinner("Pairing prompts …"):
        rows = database.rows("compare", run=run["run_id"], other=other).to_pylist()
    markup.show("finding", sentences.of_comparison(rows, nouns=database.nouns()))
    if rows:
        st.dataframe([_row(row) for row in rows], hide_index=True)


def _row(row: dict) -> dict:
    name, _, written, difference = sentences.METRICS[row["metric"]]
    return {
        "": database.nouns()(name),
        "there": written(row["value_a"]),
        "here": written(row["value_b"]),
        "difference": difference(row["difference"]),
        "95 % interval": "" if row["low"] is None else f"{difference(row['low'])} to {difference(row['high'])}",
        "prompts": formats.count(row["prompts"]),
        "higher here": formats.count(row["b_higher"]),
        "lower here": formats.count(row["b_lower"]),
    }
