"""Which run a page shows, and how runs are named to people."""

from collections.abc import Collection
from datetime import UTC, datetime

import streamlit as st

from app.components import markup, states
from app.core import address, database
from app.text import formats
from oracle.rewards import REWARDS


def all_runs() -> list[dict]:
    """Every run with its settings, the newest first."""
    return database.rows("picker").to_pylist()


def pick(runs: list[dict] | None = None) -> dict:
    """The run that the page is about: by default the newest that trained. Stops the page where there is none."""
    runs = all_runs() if runs is None else runs
    if not runs:
        states.no_runs()
        _look_again()
        st.stop()
    by_id = {run["run_id"]: run for run in runs}
    # As chosen_run() in SQL: of those that are alike in this, the first is the newest.
    newest = min(runs, key=lambda run: (run["rejudged_from"] is not None, run["kind"] != "train"))
    tell_of_gone(by_id)
    chosen = address.choose(
        "run", "Run", list(by_id), newest["run_id"], format_func=lambda run_id: label(by_id[run_id])
    )
    return by_id[chosen]


def tell_of_gone(known: Collection[str]) -> None:
    """Say which runs that a link names, or that were shown before, are not in the log, as others are shown in their place."""
    asked = st.query_params.to_dict()
    named = [asked.get("run") or st.session_state.get("url_run"), *map(asked.get, address.RUNS)]
    for run in dict.fromkeys([*named, *asked.get("with", "").split(",")]):
        if run and run not in known:
            markup.show("about", f"The log has no run {formats.short(run)}; it is left out, or another one shown.")


def label(run: dict) -> str:
    """ "6ec6 · demo/sft · λ 1 · 22 Nov 2026, 09:28"."""
    kind = f"λ {penalty(run):g}" if run["kind"] == "train" else "evaluated"
    if run["training_run"]:
        kind = f"evaluations of {run['training_run'][-4:]}"
    if run["rejudged_from"]:
        kind += f", {run['rejudged_from'][-4:]} judged again"
    return f"{run['run_id'][-4:]} · {formats.short(run['model'] or 'model')} · {kind} · {formats.moment(run['started_at'])}"


def penalty(run: dict) -> float:
    """What a violation costs before the weight of safety: λ · P."""
    return run["lambda_safe"] * run["penalty_safe"]


def beside_safety(run: dict) -> list[str]:
    """What the run's rewards and advantages follow from but for safety, as people read it: nothing whose weight is 0."""
    own = zip(run["own_rewards"] or [], run["own_weights"] or [], strict=True)
    return [
        *(
            r.label
            for r in REWARDS
            if r.name != "safety" and run[f"w_{r.column}"] and (r.switch is None or run[r.switch])
        ),
        *(formats.short(name) for name, weight in own if weight),
        *(["length of the list"] if run["length_control"] else []),
    ]


def eyebrow(run: dict) -> str:
    """What the run was, in one line."""
    facts = [
        f"Run {run['run_id']}",
        formats.short(run["model"] or ""),
        "training" if run["kind"] == "train" else "evaluation",
    ]
    facts += [f"{run['rec_num']} ranks", f"threshold {run['risk_threshold']:g}"]
    if run["kind"] == "train":
        facts += [f"{run['num_generations']} answers a prompt", f"λ·P {penalty(run):g}", run["advantage_mode"]]
        since = database.seconds_since_step(run["run_id"])
        facts += [f"last step {formats.ago(since)}"] if is_live(run) and since is not None else []
    return " · ".join(fact for fact in facts if fact)


def is_live(run: dict) -> bool:
    """Whether the run seems to be training still: by its newest step, or as long as it has none, by its start."""
    if run["kind"] != "train" or run["rejudged_from"]:
        return False
    since = database.seconds_since_step(run["run_id"])
    if since is None and run["started_at"]:
        since = (datetime.now(UTC).replace(tzinfo=None) - run["started_at"]).total_seconds()
    return since is not None and since < database.LIVE_S


@st.fragment(run_every=5)
def _look_again() -> None:
    states.or_problem(_go_on)


def _go_on() -> None:
    if all_runs():
        st.rerun()
