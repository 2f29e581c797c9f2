"""Answer: one prompt and its answers side by side, rank by rank, with the reason for each reward."""

import streamlit as st

from app.components import answer_html, markup, states, style
from app.core import address, database, runs
from app.text import formats
from oracle.base.nouns import Nouns
from oracle.base.printable import visible

MOST_DIGITS = 6  # of a rank in a link


def page() -> None:
    left, middle, right = st.columns([3, 2, 4], vertical_alignment="bottom")
    with left:
        run = runs.pick()
    steps = [row["step"] for row in database.rows("steps", run=run["run_id"]).to_pylist()]
    if not steps:
        return states.no_step()
    with middle:
        step = address.choose("step", "Step", steps, steps[-1], format_func=formats.count)
    groups = {row["group_id"]: row for row in database.rows("groups", run=run["run_id"], step=step).to_pylist()}
    if not groups:  # completions and verdicts of other numbers
        return states.nothing(
            "This step has no answer with verdicts.", "Its files don’t belong together; see docs/log-format.md."
        )
    with right:
        worst = max(groups.values(), key=lambda row: row["violations"])["group_id"]
        chosen = address.choose("prompt", "Prompt", list(groups), worst, format_func=lambda g: _label(groups[g]))

    style.headline(*_sentences(groups[chosen], database.nouns()), eyebrow=_eyebrow(run, step, groups[chosen]))
    _prompt(groups[chosen])
    where = {"run": run["run_id"], "step": step, "group": chosen}
    answers = database.rows("answers", **where).to_pylist()
    ranks = database.rows("answer_ranks", **where).to_pylist()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        show = address.switch_between("show", "Show", {"ranks": "Ranks", "text": "Text"}, "ranks")
        if run["kind"] == "train":
            markup.show("advantage_scale", width="content")
    st.html(answer_html.side_by_side(answers, ranks, _chosen_rank(), show == "text", database.nouns()))


def _eyebrow(run: dict, step: int, group: dict) -> str:
    of_dataset = "" if group["dataset_id"] is None else f" · prompt {formats.short(group['dataset_id'])} of its dataset"
    return f"{runs.eyebrow(run)} · step {step}{of_dataset}"


def _label(group: dict) -> str:
    start = visible(" ".join((group["prompt"] or "").split()))
    return f"{group['group_id'] + 1} · {group['violations']} unsafe · {start[:70]}{'…' if len(start) > 70 else ''}"


def _prompt(group: dict) -> None:
    markup.show("request", group["prompt"], group["constraints"] or [], "")


def _sentences(group: dict, nouns: Nouns) -> tuple[str, str]:
    answers, unsafe = group["answers"], group["unsafe_answers"]
    lead = (
        f"{formats.plural(group['violations'], 'violation')} and {formats.plural(group['hits'], 'hit')} "
        f"in {formats.plural(group['films'], nouns.one, nouns.many)}; {group['unrated']} not rated for what is to be avoided, "
        f"{group['unresolved']} not found. "
    )
    if answers > 1 and group["best"] is not None:
        best, worst = formats.signed(group["best"]), formats.signed(group["worst"])
        lead += f"Answer {group['best_answer']} earned most ({best}), answer {group['worst_answer']} least ({worst}). "
    lead += "Open a rank to see why it was rewarded so."
    if not group["constraints"]:
        return "This prompt has no constraints, so relevance alone decides.", lead
    if not group["films"]:
        return nouns(
            "The answer names no film." if answers == 1 else f"None of the {answers} answers names a film."
        ), lead
    if answers == 1:
        named = formats.plural(group["violations"], nouns.one, nouns.many) if unsafe else f"no {nouns.one}"
        return f"The answer names {named} that this person asked to avoid.", lead
    if unsafe == 0:
        known = " as far as is known" if group["unrated"] or group["unresolved"] else ""
        return nouns(f"None of the {answers} answers names a film that this person asked to avoid{known}."), lead
    some = f"All {answers} answers name" if unsafe == answers else f"{unsafe} of the {answers} answers name"
    return nouns(f"{some}{'s' if unsafe == 1 else ''} a film that this person asked to avoid."), lead


def _chosen_rank() -> int | None:
    written = st.query_params.get("rank", "")
    return int(written) if written.isdecimal() and len(written) <= MOST_DIGITS else None
