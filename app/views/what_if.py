"""What-if: the same answers, judged again with other settings of the reward. Curves before and after."""

import streamlit as st

from app.components import charts, markup, states, style
from app.core import address, database, runs
from app.text import formats, sentences
from oracle.base.nouns import Nouns

MOST_VERDICTS = 250_000
POLICIES = {"safe": "safe", "violation": "violations", "ignore": "left out"}
PANELS = (
    ("svr", "Violations, share of the films listed", "%"),
    ("punished", "Films that earn a penalty", "%"),
    ("mean_total_reward", "Reward of an answer", ".1f"),
    ("no_signal_rate", "Groups and ranks without a learning signal", "%"),
)


def page() -> None:
    left, right = st.columns([3, 4], vertical_alignment="bottom")
    with left:
        run = runs.pick()
    _start_as(run)
    nouns = database.nouns()
    with right:
        one, two = st.columns(2)
        with one:
            unresolved = address.switch_between("unresolved", "Titles not found count as", POLICIES, run["unresolved"])
        with two:
            unrated = address.switch_between(
                "unrated", nouns("Films not rated count as"), POLICIES, run["unrated"] or "safe"
            )
    asked = _sliders(run, nouns) | {"unresolved": unresolved, "unrated": unrated, **_own_weights(run)}
    head = st.container()
    steps = database.rows("what_if_steps", run=run["run_id"], most=MOST_VERDICTS).to_pylist()
    if not steps:
        return states.no_step()
    numbers = [row["step"] for row in steps]
    with st.spinner("Judging again …"):
        curves = database.rows("what_if_curves", run=run["run_id"], **asked, steps=numbers)
        [pushes] = database.rows("what_if_pushes", run=run["run_id"], **asked, step=numbers[-1]).to_pylist()
    if not curves.num_rows:
        return states.no_step()
    with head:
        [last] = curves.slice(curves.num_rows - 1).to_pylist()
        style.headline(*_sentences(run, asked, last, pushes, nouns), eyebrow=runs.eyebrow(run))
    about = "The answers stay as they were: what another reward would have taught shows only in training."
    if len(steps) < steps[0]["all_steps"]:
        about += f" {formats.count(len(steps))} of {formats.count(steps[0]['all_steps'])} steps are judged again."
    style.section("Before and after", about)
    style.legend([(style.palette().before, "as it was"), (style.palette().bad, "as it would have been")])
    for pair in (PANELS[:2], PANELS[2:]):
        for column, (name, title, form) in zip(st.columns(2, gap="large"), pair, strict=True):
            column.altair_chart(charts.before_and_after(curves, name, nouns(title), form), width="stretch")


def _start_as(run: dict) -> None:
    """Where another run was shown before, its settings are none that anybody asked for of this one."""
    if st.session_state.get("judged_again", run["run_id"]) != run["run_id"]:
        address.forget(*_COLUMNS, "unrated", *(_weight(name) for name in run["own_rewards"] or []))
    st.session_state["judged_again"] = run["run_id"]


def _sliders(run: dict, nouns: Nouns) -> dict:
    """The settings asked for; they start as the run's own."""
    one, two, three = st.columns(3, gap="large")
    # The log of another program may hold settings that what_if refuses.
    with one:
        weight = address.number("lambda", "λ, weight of safety", 0.0, 5.0, 0.05, max(0.0, run["lambda_safe"]))
    with two:
        penalty = address.number("penalty", "P, penalty of a violation", 0.0, 5.0, 0.05, max(0.0, run["penalty_safe"]))
    with three:
        about = nouns("Risk from which a film violates")
        own = run["risk_threshold"]
        start = min(own, 1.0) if own > 0 else 0.05
        threshold = address.number("threshold", about, 0.05, 1.0, 0.01, start)
    return {"lambda": weight, "penalty": penalty, "threshold": threshold}


def _own_weights(run: dict) -> dict:
    """The names of the rewards that are somebody's own, and the weight asked for of each."""
    own, weights = run["own_rewards"] or [], run["own_weights"] or []
    asked: list[float] = []
    for i, (name, weight) in enumerate(zip(own, weights, strict=True)):
        if i % 3 == 0:
            columns = st.columns(3, gap="large")
        with columns[i % 3]:
            markup.show("label", f"Weight of {formats.short(name)}")  # Streamlit would read its own label as Markdown
            label = f"Weight of own reward {i + 1}"
            asked.append(address.number(_weight(name), label, 0.0, 5.0, 0.05, weight, label_visibility="collapsed"))
    return {"own": own, "weights": asked}


def _weight(name: str) -> str:
    return f"weight_{name}"


def _sentences(run: dict, asked: dict, last: dict, pushes: dict, nouns: Nouns) -> tuple[str, str]:
    own = {name: run[column] for name, column in _COLUMNS.items()} | {"unrated": run["unrated"] or "safe"}
    own |= {"own": run["own_rewards"] or [], "weights": run["own_weights"] or []}
    if asked == own:
        lead = "Move a slider: the answers that this run gave are judged again with your settings, at once."
        return "These are the run’s own settings, so before and after agree.", lead
    reward = sentences.change(last["last_reward"], last["last_reward_if"], formats.signed, 0.005, be="be")
    for past, present in (("rose", "rise"), ("fell", "fall"), ("stayed", "stay")):
        reward = reward.replace(past, present)
    was, would_be = formats.percent(last["last_svr"]), formats.percent(last["last_svr_if"])
    if last["last_svr_if"] is None:
        sentence = f"The reward of an answer would {reward}."
    elif was == would_be:
        sentence = f"Violations would stay at {was}, and the reward of an answer would {reward}."
    else:
        sentence = (
            f"{would_be} of the last {nouns.many} would violate, not {was}; the reward of an answer would {reward}."
        )
    if run["kind"] != "train":
        return sentence, "The run was not trained on, so nothing was pushed."
    if not pushes["ranks"]:
        return sentence, nouns("The last step lists no film, so none would be pushed otherwise.")
    return sentence, (
        f"Of the {formats.plural(pushes['ranks'], nouns.one, nouns.many)} of the last step, {formats.count(pushes['turned'])} "
        f"({formats.percent(pushes['turned_rate'])}) would be pushed the other way, "
        f"{formats.count(pushes['silenced'])} no longer, and {formats.count(pushes['woken'])} for the first time."
    )


_COLUMNS = {
    "lambda": "lambda_safe",
    "penalty": "penalty_safe",
    "threshold": "risk_threshold",
    "unresolved": "unresolved",
}
