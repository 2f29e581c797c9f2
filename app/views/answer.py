"""Answer: one prompt and its answers side by side, rank by rank, with the reason for each reward."""

import streamlit as st

from app.components import answer_html, markup, states, style
from app.core import address, database, runs
from app.text import formats, sentences
from oracle.base.nouns import Nouns
from oracle.base.printable import visible
from oracle.log import is_above


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

    style.headline(*_sentences(groups[chosen], run, database.nouns()), eyebrow=_eyebrow(run, step, groups[chosen]))
    _prompt(groups[chosen])
    where = {"run": run["run_id"], "step": step, "group": chosen}
    answers = database.rows("answers", **where).to_pylist()
    ranks = database.rows("answer_ranks", **where).to_pylist()
    rank = address.named("rank", [row["rank"] for row in ranks], "none is marked")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        show = address.switch_between("show", "Show", {"ranks": "Ranks", "text": "Text"}, "ranks")
        if run["kind"] == "train":
            markup.show("advantage_scale", width="content")
    st.html(answer_html.side_by_side(answers, ranks, rank, show == "text", database.nouns()))


def _eyebrow(run: dict, step: int, group: dict) -> str:
    of_dataset = "" if group["dataset_id"] is None else f" · prompt {formats.short(group['dataset_id'])} of its dataset"
    return f"{runs.eyebrow(run)} · step {step}{of_dataset}"


def _label(group: dict) -> str:
    start = visible(" ".join((group["prompt"] or "").split()))
    return f"{group['group_id'] + 1} · {group['violations']} unsafe · {start[:70]}{'…' if len(start) > 70 else ''}"


def _prompt(group: dict) -> None:
    markup.show("request", group["prompt"], group["constraints"] or [], "")


def _sentences(group: dict, run: dict, nouns: Nouns) -> tuple[str, str]:
    answers, unsafe = group["answers"], group["unsafe_answers"]
    lead = (
        f"{formats.plural(group['violations'], 'violation')} and {formats.plural(group['hits'], 'hit')} "
        f"in {formats.plural(group['films'], nouns.one, nouns.many)}; {group['unrated']} not rated for what is to be avoided, "
        f"{group['unresolved']} not found. "
    )
    lead += _earned({row["answer"]: row["reward"] for row in group["rewards"]}, answers)
    lead += "Open a rank to see why it was rewarded so."
    if not group["constraints"]:
        part = "relevance alone decides" if runs.beside_safety(run) == ["relevance"] else "safety plays no part"
        return f"This prompt has no constraints, so {part}.", lead
    if not group["films"]:
        return nouns(
            "The answer names no film." if answers == 1 else f"None of the {answers} answers names a film."
        ), lead
    known = " as far as is known" if not unsafe and (group["unrated"] or group["unresolved"]) else ""
    if answers == 1:
        named = formats.plural(group["violations"], nouns.one, nouns.many) if unsafe else f"no {nouns.one}"
        return f"The answer names {named} that this person asked to avoid{known}.", lead
    if unsafe == 0:
        return nouns(f"None of the {answers} answers names a film that this person asked to avoid{known}."), lead
    some = f"All {answers} answers name" if unsafe == answers else f"{unsafe} of the {answers} answers name"
    return nouns(f"{some}{'s' if unsafe == 1 else ''} a film that this person asked to avoid."), lead


def _earned(rewards: dict[int, float], answers: int) -> str:
    """Which answers earned most and which least, by their rewards; of fewer than two there is no most."""
    if len(rewards) < 2:
        return ""
    most, least = max(rewards.values()), min(rewards.values())
    best, worst = (sentences.that_have("answer", rewards, value) for value in (most, least))
    if not is_above(most, least):
        level = f"All {answers} answers" if len(rewards) == answers else best[0].upper() + best[1:]
        return f"{level} earned alike ({formats.signed(most)}). "
    return (
        f"{best[0].upper()}{best[1:]} earned most ({formats.signed(most)}), {worst} least ({formats.signed(least)}). "
    )
